use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};

use super::*;

const TWO_SECONDS: Duration = Duration::from_secs(2);

fn get() -> Request<Bytes> {
    let request = Request::get("/auth?a=1").header(header::HOST, "auth.example");
    request.body(Bytes::new()).unwrap()
}

fn whole(most: usize) -> Bounds {
    Bounds {
        within: TWO_SECONDS,
        body: BodyBound::Whole { most },
    }
}

fn plain(address: SocketAddr) -> Server {
    Server {
        endpoint: Endpoint::Ip(address),
        preface: Vec::new(),
        tls: None,
    }
}

/// Reads one head, writes `answer`, and keeps the connection for as long as the client does.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer).await.unwrap();
    let _ = stream.read(&mut [0; 64]).await;
    String::from_utf8(head).unwrap()
}

/// What `bounds` make of an answer over TCP, and the head that the server saw.
async fn over_tcp(
    written: &'static [u8],
    bounds: Bounds,
) -> (Result<Response<Bytes>, FetchError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = plain(listener.local_addr().unwrap());
    let head =
        tokio::spawn(async move { answer(listener.accept().await.unwrap().0, written).await });
    let fetched = fetch(&server, get(), bounds).await;
    (fetched, head.await.unwrap())
}

#[tokio::test]
async fn asks_over_tcp_and_says_that_it_will_not_come_again() {
    let (fetched, head) = over_tcp(
        b"HTTP/1.1 200 OK\r\nauthorization: t\r\ncontent-length: 2\r\n\r\nok",
        whole(2),
    )
    .await;
    let response = fetched.unwrap();
    assert_eq!(response.headers()["authorization"], "t");
    assert_eq!(response.body().as_ref(), b"ok");
    assert!(head.starts_with("GET /auth?a=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: auth.example\r\n"), "{head}");
    assert!(head.contains("connection: close\r\n"), "{head}");
}

#[tokio::test]
async fn asks_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = Server {
        endpoint: Endpoint::Unix(path.as_path().into()),
        preface: Vec::new(),
        tls: None,
    };
    tokio::spawn(async move {
        let stream = listener.accept().await.unwrap().0;
        answer(stream, b"HTTP/1.1 204 No Content\r\n\r\n").await
    });
    assert_eq!(fetch(&server, get(), whole(0)).await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_body_beyond_its_bound_is_refused_or_cut() {
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
    let (fetched, _) = over_tcp(long, whole(9)).await;
    assert!(matches!(fetched, Err(FetchError::TooLarge { most: 9 })));
    let start = Bounds {
        within: TWO_SECONDS,
        body: BodyBound::Start { most: 4 },
    };
    let (fetched, _) = over_tcp(long, start).await;
    assert_eq!(fetched.unwrap().body().as_ref(), b"0123");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = plain(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let _ = stream.read(&mut [0; 1024]).await;
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234";
        stream.write_all(half).await.unwrap();
    });
    let fetched = fetch(&server, get(), whole(64)).await;
    assert!(
        matches!(fetched, Err(FetchError::Exchange(_))),
        "{fetched:?}"
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = plain(listener.local_addr().unwrap());
    let within = Duration::from_millis(20);
    let bounds = Bounds {
        within,
        ..whole(64)
    };
    let fetched = fetch(&server, get(), bounds).await;
    assert!(
        matches!(fetched, Err(FetchError::Timeout(_))),
        "{fetched:?}"
    );
}
