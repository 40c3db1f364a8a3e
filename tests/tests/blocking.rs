//! What a block ends at once, and how many blocks there may be, without the kernel.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml, eventually};

/// What "at once" is on a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(2);

fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
limits:
  strict: { key: client, rate: 1/d, burst: 1, block: { after: 3, within: 10s, for: 1h } }
routes:
  - { name: slow, match: { path_prefix: /slow }, upstream: app }
  - { name: all, match: { path_prefix: / }, limits: [strict], respond: { body: ok } }
prefilter: { interfaces: [lo], mode: \"off\", blocks: { max: 3 } }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
}

fn block(floodwall: &Floodwall<'_>, source: Ipv4Addr) {
    let answer = floodwall.ask(&["blocks", "add", &source.to_string(), "--for", "1m"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}

/// Answers one request with a body that never ends, until nobody takes it any more.
fn endless() -> (SocketAddr, mpsc::Receiver<()>, JoinHandle<()>) {
    let listener = TcpListener::bind((Loopback::claim().ip(), 0)).expect("a free port");
    let address = listener.local_addr().expect("a listener has an address");
    let (begins, begun) = mpsc::channel();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        let asked = stream.read(&mut [0; 1024]).expect("a request");
        assert!(asked > 0);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
        stream.write_all(head).expect("the head is read");
        while stream.write_all(&[b'x'; 4096]).is_ok() {
            // Nobody may listen any more.
            let _ = begins.send(());
        }
    });
    (address, begun, serving)
}

#[test]
fn whatever_a_blocked_client_has_open_ends_at_once() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let (ip, other) = (Loopback::claim().ip(), Loopback::claim().ip());
    let connect = |ip: Ipv4Addr| Client::of(web).from(ip).connect().expect("a connection");
    let (mut silent, mut kept, mut waiting, mut stranger) =
        (connect(ip), connect(ip), connect(ip), connect(other));
    assert_eq!(kept.get("/").expect("a response").status, 200);
    assert_eq!(stranger.get("/").expect("a response").status, 200);
    waiting
        .write(b"GET /slow/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("it is sent");
    eventually!(origin.count() == 1);

    block(&floodwall, ip);
    let begun = Instant::now();
    for connection in [&mut silent, &mut kept, &mut waiting] {
        let rest = connection.read_to_end().expect("the end, and no patience");
        assert!(rest.is_empty(), "{rest:?}");
    }
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(floodwall.status()["connections"]["cut"], 3);
    assert_eq!(stranger.get("/slow/1").expect("a response").status, 200);
}

#[test]
fn a_response_under_way_is_reset() {
    let (origin, begun, serving) = endless();
    let web = Loopback::free();
    let floodwall = Floodwall::start(&front(web, origin));
    let ip = Loopback::claim().ip();
    let mut client = Client::of(web).from(ip).connect().expect("a connection");
    client
        .write(b"GET /slow/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("it is sent");
    begun.recv().expect("the body begins");
    block(&floodwall, ip);
    let begun = Instant::now();
    serving.join().expect("nobody takes the body any more");
    client.read_to_end().expect("the end, and no patience");
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[test]
fn the_client_that_is_blocked_by_its_own_request_ends_everywhere_else() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let ip = Loopback::claim().ip();
    let connect = || Client::of(web).from(ip).connect().expect("a connection");
    let (mut idle, mut busy) = (connect(), connect());
    let statuses = [0; 4].map(|_| busy.get("/").expect("a response").status);
    assert_eq!(
        statuses,
        [200, 429, 429, 429],
        "the last refusal is still told"
    );
    assert!(idle.read_to_end().expect("the end").is_empty());
    assert!(busy.read_to_end().expect("the end").is_empty());
    assert_eq!(floodwall.status()["connections"]["cut"], 1);
}

#[test]
fn limits_block_no_more_sources_than_the_budget_allows() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    for _ in 0..5 {
        let client = Client::of(web).from(Loopback::claim().ip());
        for _ in 0..4 {
            // The last of them finds a closed door, or a further refusal.
            let _ = client.try_send(&Request::get("/"));
        }
    }
    let budget = || floodwall.status()["blocks_budget"].clone();
    let [standing, max, full] =
        ["standing", "max", "refused_full"].map(|key| budget()[key].clone());
    assert_eq!((standing, max, full), (3.into(), 3.into(), 2.into()));
    assert_eq!(floodwall.blocks().len(), 3);
    assert!(
        floodwall.log().contains("prefilter.blocks.max"),
        "{}",
        floodwall.log()
    );
    // An operator's block is not counted, and a pardon gives a limit's back.
    block(&floodwall, Loopback::claim().ip());
    assert_eq!(floodwall.blocks().len(), 4);
    let by_limit = floodwall
        .blocks()
        .into_iter()
        .find(|block| block["by"] == "limit");
    let source = by_limit.expect("three of them")["source"].clone();
    let answer = floodwall.ask(&["blocks", "remove", source.as_str().expect("text")]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(budget()["standing"], 2);
}
