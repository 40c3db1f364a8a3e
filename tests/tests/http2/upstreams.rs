//! HTTP/2 towards upstreams: a second service stands in front of the origin, and takes nothing but that.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use floodwall_tests::{
    Client, Curl, Floodwall, Http2, Loopback, Origin, Request, eventually, h2::Frame,
};

use crate::{clients::run, front};

/// Two services, one behind the other, with HTTP/2 between them.
struct Pair {
    web: SocketAddr,
    origin: Origin,
    first: Floodwall<'static>,
    second: Floodwall<'static>,
}

impl Pair {
    fn start() -> Self {
        let (web, inner, origin) = (Loopback::free(), Loopback::free(), Origin::start());
        let second = Floodwall::start(&front(inner, origin.address()));
        let first =
            Floodwall::start(&front(web, inner).with("servers: [", "http2: true, servers: ["));
        Self {
            web,
            origin,
            first,
            second,
        }
    }
}

#[test]
fn http_1_clients_are_served_by_http_2_servers() {
    let pair = Pair::start();
    let client = Client::of(pair.web);
    let response = client.send(
        &Request::get("/a?b=c")
            .host("example.org")
            .header("Cookie", "a=1; b=2"),
    );
    assert_eq!(
        (response.status, response.body.as_str()),
        (200, "origin: /a?b=c\n")
    );
    let seen = pair.origin.last();
    assert_eq!(seen.header("host"), Some("example.org"));
    assert_eq!(seen.header("cookie"), Some("a=1; b=2"));
    let post = Request::new("POST", "/")
        .body("a body")
        .header("TE", "gzip")
        .header("Connection", "TE");
    assert_eq!(client.send(&post).status, 200);
    let seen = pair.origin.last();
    assert_eq!(
        (seen.method.as_str(), seen.body.as_str()),
        ("POST", "a body")
    );
    let head = client.send(&Request::new("HEAD", "/"));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(client.get("/mega").body.len(), 1 << 20);
    assert_eq!(client.get("/status/404").status, 404);
    let chunks = b"POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = client.exchange(chunks).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(pair.origin.last().body, "hello");
    // All of it over one connection.
    assert!(pair.second.status()["connections"]["accepted"].as_u64() <= Some(2));
}

#[test]
fn http_2_goes_through_both() {
    let pair = Pair::start();
    let url = format!("http://{}/", pair.web);
    let report = run("h2load", &["-n", "2000", "-c", "5", "-m", "100", &url]);
    assert!(
        report.contains("2000 succeeded, 0 failed, 0 errored"),
        "{report}"
    );
    let mut client = Http2::connect(pair.web).expect("a connection");
    let stream = client.request("POST", "/", &[], false).expect("a stream");
    client
        .send(&Frame::data(stream, b"hello", false))
        .expect("it is open");
    client
        .send(&Frame::data(stream, b"", true))
        .expect("it is open");
    assert_eq!(client.end_of(stream).expect("an answer").status, Some(200));
    assert_eq!(pair.origin.last().body, "hello");
    assert_eq!(client.get("/mega").expect("an answer").body.len(), 1 << 20);
    for floodwall in [&pair.first, &pair.second] {
        eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    }
}

/// However a stream ends, what is compressed has its end.
#[test]
fn answers_of_http_2_servers_are_compressed() {
    let (web, inner, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let _second = Floodwall::start(&front(inner, origin.address()));
    let yaml = front(web, inner)
        .with("servers: [", "http2: true, servers: [")
        .with("upstream: app }", "upstream: app, compress: true }");
    let _first = Floodwall::start(&yaml);
    origin.give(&["Content-Type: text/plain"]);
    let curl = |path: &str, protocol: &str| {
        Curl::new()
            .flag("--compressed")
            .flag(protocol)
            .with("-H", "accept-encoding: gzip")
            .get(&format!("http://{web}{path}"))
    };
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let got = curl("/mega", protocol);
        assert_eq!((got.status, got.code), (200, Some(0)), "{protocol}");
        assert_eq!(got.body.len(), 1 << 20, "{protocol}");
        origin.say("short, but long enough to be compressed".repeat(40));
        let got = curl("/", protocol);
        assert_eq!((got.code, got.body.len()), (Some(0), 1560), "{protocol}");
        origin.say("x".repeat(1 << 20));
    }
    let zipped = Client::of(web).send(&Request::get("/").header("Accept-Encoding", "gzip"));
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert!(zipped.body.len() < 1 << 16);
}

/// A stream that the client gives up is given up at the server too.
#[test]
fn a_reset_goes_on_to_the_server() {
    let pair = Pair::start();
    let mut client = Http2::connect(pair.web).expect("a connection");
    let stream = client
        .request("GET", "/slow/20000", &[], true)
        .expect("a stream");
    eventually!(pair.origin.count() == 1);
    client
        .send(&Frame::reset(stream, floodwall_tests::h2::reason::CANCEL))
        .expect("it is open");
    for floodwall in [&pair.first, &pair.second] {
        eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    }
    assert_eq!(client.get("/").expect("an answer").status, Some(200));
}

/// One connection has many requests, and ends when the last is over; nobody is sent over one that is about to end.
#[test]
fn connections_end_after_so_many_requests_without_a_loss() {
    let (web, inner, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let second = Floodwall::start(&front(inner, origin.address()));
    let few = "http2: true, pool: { max_requests: 20 }, servers: [";
    let first = Floodwall::start(&front(web, inner).with("servers: [", few));
    let url = format!("http://{web}/");
    let report = run("h2load", &["-n", "3000", "-c", "4", "-m", "10", &url]);
    assert!(
        report.contains("3000 succeeded, 0 failed, 0 errored"),
        "{report}"
    );
    // Requests join in while one is about to be replaced, so that some have a few more.
    let opened = first.status()["upstreams"][0]["connections"]["opened"].as_u64();
    assert!(opened >= Some(75), "{opened:?} of 3000 requests");
    // The last ones have not had their fill, and wait for more: at most one for each request under way at one time.
    let connections = || first.status()["upstreams"][0]["connections"].clone();
    eventually!(connections()["open"] == connections()["idle"]);
    let left = connections()["open"].as_u64();
    assert!(left <= Some(40), "{left:?} are open");
    assert_eq!(second.status()["connections"]["accepted"].as_u64(), opened);
}

/// Requests that come at once are no reason for a connection each.
#[test]
fn those_who_come_together_share_a_connection() {
    const TOGETHER: usize = 60;
    let (web, inner, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let second = Floodwall::start(&front(inner, origin.address()));
    let first = Floodwall::start(
        &front(web, inner)
            .with("servers: [", "http2: true, servers: [")
            .and("server: { threads: 1 }\n"),
    );
    let mut client = Http2::connect(web).unwrap();
    let streams: Vec<_> = (0..TOGETHER)
        .map(|_| client.request("GET", "/slow/300", &[], true).unwrap())
        .collect();
    eventually!(first.status()["requests"]["in_flight"] == TOGETHER);
    assert_eq!(
        client.end_of(streams[TOGETHER - 1]).unwrap().status,
        Some(200)
    );
    eventually!(first.finished("2xx") == TOGETHER);
    assert_eq!(second.status()["connections"]["accepted"], 1);
    // Where nobody answers they do not wait for each other's failures.
    drop(second);
    let begun = Instant::now();
    let mut client = Http2::connect(web).unwrap();
    let streams: Vec<_> = (0..TOGETHER)
        .map(|_| client.request("GET", "/", &[], true).unwrap())
        .collect();
    assert_eq!(
        client.end_of(streams[TOGETHER - 1]).unwrap().status,
        Some(502)
    );
    eventually!(first.finished("5xx") == TOGETHER);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
