//! Each bound on time that the file has for an upstream, and those on clients that take nothing. Those on what clients
//! send are in the stories of hostile clients, of listeners and of HTTP/2.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use floodwall_tests::{
    Client, Floodwall, Http2, Loopback, Origin, Request, Script, Yaml, eventually, h2::setting,
};
use socket2::{Domain, Socket, Type};

use crate::front;

fn bounded(web: SocketAddr, origin: SocketAddr, timeouts: &str) -> Yaml {
    let timeouts = format!("timeouts: {{ {timeouts} }}, retries: {{ attempts: 0 }}, servers: [");
    front(web, origin).with("servers: [", timeouts)
}

/// The status of a request, and how long it took.
fn asked(web: SocketAddr, request: &Request) -> (u16, Duration) {
    let begun = Instant::now();
    let status = Client::of(web).send(request).status;
    (status, begun.elapsed())
}

fn assert_about(took: Duration, bound: Duration) {
    assert!(
        took >= bound && took < bound + Duration::from_secs(4),
        "{took:?}"
    );
}

const BOUND: Duration = Duration::from_millis(400);

/// A listener whose queue is full, so that the kernel answers nobody else.
struct Full {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Full {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let at = SocketAddr::from((Loopback::claim().ip(), 0));
        socket.bind(&at.into()).unwrap();
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        let at = listener.local_addr().unwrap();
        let soon = Duration::from_millis(100);
        let waiting = (0..8).map_while(|_| TcpStream::connect_timeout(&at, soon).ok());
        Self {
            _waiting: waiting.collect(),
            listener,
        }
    }
}

#[test]
fn of_connecting() {
    let (web, full) = (Loopback::free(), Full::new());
    let yaml = bounded(web, full.listener.local_addr().unwrap(), "connect: 400ms");
    let _floodwall = Floodwall::start(&yaml);
    let (status, took) = asked(web, &Request::get("/"));
    assert_eq!(status, 504);
    assert_about(took, BOUND);
}

#[test]
fn of_reading_and_of_the_whole() {
    let origin = Origin::start();
    for timeouts in ["read: 400ms", "total: 400ms"] {
        let web = Loopback::free();
        let _floodwall = Floodwall::start(&bounded(web, origin.address(), timeouts));
        let (status, took) = asked(web, &Request::get("/slow/5000"));
        assert_eq!(status, 504, "{timeouts}");
        assert_about(took, BOUND);
        // HTTP/2 towards clients goes by the same bounds.
        assert_eq!(asked(web, &Request::get("/")).0, 200);
    }
}

#[test]
fn of_writing() {
    let script = Script::start(|stage| {
        stage.head()?;
        // Reads nothing, until the other end has had enough.
        stage.take(1)?;
        floodwall_tests::wait::for_the_clock(Instant::now() + Duration::from_secs(5));
        Ok(())
    });
    let web = Loopback::free();
    // An origin that takes no more may have said why.
    let timeouts = "write: 400ms, read: 400ms";
    let _floodwall = Floodwall::start(&bounded(web, script.address(), timeouts));
    let large = Request::new("POST", "/").body("x".repeat(12 << 20));
    let (status, took) = asked(web, &large);
    assert_eq!(status, 504);
    assert_about(took, BOUND * 2);
}

#[test]
fn of_a_connection_without_a_request() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&bounded(web, origin.address(), "idle: 400ms"));
    let begun = Instant::now();
    assert_eq!(asked(web, &Request::get("/")).0, 200);
    eventually!(floodwall.status()["upstreams"][0]["connections"]["open"] == 0);
    assert_about(begun.elapsed(), BOUND);
}

/// A client that asks and does not read is left, over either protocol, and its origin with it.
#[test]
fn of_clients_that_take_nothing() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let plain = format!("address: {web}");
    let yaml = front(web, origin.address()).with(
        &plain,
        plain.clone() + ", http2: true, timeouts: { write: 400ms }",
    );
    let floodwall = Floodwall::start(&yaml);
    origin.say("x".repeat(32 << 20));
    let mut client = Client::of(web).connect().unwrap();
    let begun = Instant::now();
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    eventually!(origin.count() == 1);
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    assert_about(begun.elapsed(), BOUND);
    let none = [(setting::INITIAL_WINDOW_SIZE, 0)];
    let mut client = Http2::connect_from(web, None, &none).unwrap();
    let begun = Instant::now();
    client.request("GET", "/", &[], true).unwrap();
    eventually!(origin.count() == 2);
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    assert_about(begun.elapsed(), BOUND);
    eventually!(floodwall.status()["upstreams"][0]["connections"]["open"] == 0);
}
