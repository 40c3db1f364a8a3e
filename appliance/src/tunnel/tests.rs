use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const PATIENCE: Patience = Patience {
    idle: Duration::from_millis(600),
    write: Duration::from_millis(100),
    rest: Duration::from_millis(50),
};

/// A tunnel between two pairs of pipes of so many bytes, and the far ends.
fn tunnel(
    size: usize,
    said: &[u8],
    answered: &[u8],
) -> (
    Tunnel<DuplexStream, DuplexStream>,
    DuplexStream,
    DuplexStream,
) {
    let (client, near) = duplex(size);
    let (far, upstream) = duplex(size);
    let tunnel = Tunnel::new((near, said.into()), (far, answered.into()), PATIENCE);
    (tunnel, client, upstream)
}

async fn read(from: &mut DuplexStream, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.take(most as u64)
        .read_to_end(&mut bytes)
        .await
        .unwrap();
    bytes
}

#[tokio::test]
async fn what_came_too_early_comes_first() {
    let (mut tunnel, mut client, mut upstream) = tunnel(100, b"early", b"fast");
    let mut counted = Carried::default();
    let carried = tunnel.carry(|direction, bytes| match direction {
        Direction::In => counted.from_client += bytes,
        Direction::Out => counted.from_upstream += bytes,
        Direction::Both => unreachable!("bytes pass in one direction"),
    });
    let ends = async {
        client.write_all(b" bird").await.unwrap();
        upstream.write_all(b"er").await.unwrap();
        assert_eq!(read(&mut client, 6).await, b"faster");
        assert_eq!(read(&mut upstream, 10).await, b"early bird");
        drop((client, upstream));
    };
    let (end, ()) = tokio::join!(carried, ends);
    assert!(matches!(end, End::Closed), "{end:?}");
    let all = Carried {
        from_client: 10,
        from_upstream: 6,
    };
    assert_eq!(tunnel.carried(), all);
    assert_eq!(
        counted,
        Carried {
            from_client: 5,
            from_upstream: 2
        },
        "what was read here"
    );
}

/// Each end writes more than all buffers hold before it reads anything.
#[tokio::test]
async fn both_ends_may_talk_at_once() {
    let (mut tunnel, client, upstream) = tunnel(1000, b"", b"");
    let mut ends = Vec::new();
    for end in [client, upstream] {
        let (mut reader, mut writer) = tokio::io::split(end);
        ends.push(tokio::spawn(async move {
            let all = vec![7; 200_000];
            let writing = async {
                writer.write_all(&all).await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let mut got = Vec::new();
            let (read, ()) = tokio::join!(reader.read_to_end(&mut got), writing);
            (read.unwrap(), got == all)
        }));
    }
    let end = tunnel.carry(|_, _| {}).await;
    assert!(matches!(end, End::Closed), "{end:?}");
    for end in ends {
        assert_eq!(end.await.unwrap(), (200_000, true));
    }
}

#[tokio::test]
async fn silence_ends_it() {
    let (mut tunnel, mut client, _upstream) = tunnel(100, b"", b"");
    let begun = Instant::now();
    let talk = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.write_all(b"still here").await.unwrap();
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = tunnel.carry(|_, _| {}) => end,
        () = talk => unreachable!(),
    };
    assert!(matches!(end, End::Idle), "{end:?}");
    assert!(begun.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn whoever_does_not_read_ends_it_sooner() {
    let (mut tunnel, mut client, _upstream) = tunnel(100, b"", b"");
    let begun = Instant::now();
    let talk = async {
        client.write_all(&[7; 1000]).await.unwrap();
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = tunnel.carry(|_, _| {}) => end,
        () = talk => unreachable!(),
    };
    assert!(matches!(end, End::Stalled), "{end:?}");
    assert!(begun.elapsed() >= PATIENCE.write);
}

#[tokio::test]
async fn half_of_it_does_not_live_long() {
    let (mut tunnel, client, mut upstream) = tunnel(100, b"", b"");
    drop(client);
    let begun = Instant::now();
    let end = tunnel.carry(|_, _| {}).await;
    assert!(matches!(end, End::Idle), "{end:?}");
    assert!(begun.elapsed() >= PATIENCE.rest);
    assert_eq!(read(&mut upstream, 1).await, b"", "the other end was told");
}
