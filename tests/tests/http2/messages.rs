//! What a request may look like, and what of it comes to an HTTP/1 origin.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use floodwall_tests::{
    Floodwall, Http2, Loopback, Origin, eventually,
    h2::{Frame, reason},
};

use crate::{front, start};

/// An origin that keeps what it is sent, byte by byte, and answers whenever nothing more comes.
struct Raw {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    fn start() -> Self {
        let listener = TcpListener::bind((Loopback::claim().ip(), 0)).expect("a listener");
        let address = listener.local_addr().expect("it has an address");
        let connections = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let at = {
                    let mut all = kept.lock().expect("nobody panics");
                    all.push(String::new());
                    all.len() - 1
                };
                let kept = Arc::clone(&kept);
                thread::spawn(move || {
                    let quiet = Duration::from_millis(200);
                    stream.set_read_timeout(Some(quiet)).expect("a socket");
                    let (mut bytes, mut owes) = ([0; 4096], false);
                    loop {
                        match stream.read(&mut bytes) {
                            Ok(0) => return,
                            Ok(count) => {
                                let text = String::from_utf8_lossy(&bytes[..count]);
                                kept.lock().expect("nobody panics")[at].push_str(&text);
                                owes = true;
                            }
                            Err(_) if owes => {
                                owes = false;
                                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                                stream.write_all(answer).expect("it is read");
                            }
                            Err(_) => {}
                        }
                    }
                });
            }
        });
        Self {
            address,
            connections,
        }
    }

    fn connections(&self) -> Vec<String> {
        self.connections.lock().expect("nobody panics").clone()
    }
}

/// The end of a body may come with its last bytes, alone, or with trailers. The origin sees one end.
#[test]
fn a_body_of_unknown_length_ends_once_however_it_ends() {
    let (web, origin) = (Loopback::free(), Raw::start());
    let _floodwall = Floodwall::start(&front(web, origin.address));
    let mut client = Http2::connect(web).expect("a connection");
    for end in ["with data", "empty", "empty twice", "trailers"] {
        let stream = client.request("POST", "/", &[], false).expect("a stream");
        let frames = match end {
            "with data" => vec![Frame::data(stream, b"hello", true)],
            "empty" => vec![
                Frame::data(stream, b"hello", false),
                Frame::data(stream, b"", true),
            ],
            "empty twice" => vec![
                Frame::data(stream, b"hello", false),
                Frame::data(stream, b"", false),
                Frame::data(stream, b"", true),
            ],
            _ => vec![
                Frame::data(stream, b"hello", false),
                Frame::headers(stream, &[("checksum", "1")], true),
            ],
        };
        for frame in frames {
            client.send(&frame).expect("it is open");
        }
        let ended = client.end_of(stream).expect("an answer");
        assert_eq!(ended.status, Some(200), "{end}");
    }
    let connections = origin.connections();
    let all = connections.concat();
    assert_eq!(
        all.matches("\r\n\r\n5\r\nhello\r\n0\r\n\r\n").count(),
        4,
        "{all:?}"
    );
    // Nothing is between the end of one and the beginning of the next.
    let ends: Vec<_> = all.split("0\r\n\r\n").collect();
    assert_eq!(ends.len(), 5, "{all:?}");
    assert!(
        ends[..4]
            .iter()
            .all(|message| message.starts_with("POST / HTTP/1.1\r\n")),
        "{all:?}"
    );
    assert_eq!(ends[4], "");
}

#[test]
fn a_request_without_a_body_has_none_upstream() {
    let (web, origin) = (Loopback::free(), Raw::start());
    let _floodwall = Floodwall::start(&front(web, origin.address));
    let mut client = Http2::connect(web).expect("a connection");
    assert_eq!(client.get("/").expect("an answer").status, Some(200));
    let empty = client.request("POST", "/", &[], false).expect("a stream");
    client
        .send(&Frame::data(empty, b"", true))
        .expect("it is open");
    assert_eq!(client.end_of(empty).expect("an answer").status, Some(200));
    let all = origin.connections().concat();
    let (first, second) = all.split_once("\r\n\r\n").expect("a head");
    assert!(
        first.starts_with("GET / ") && !first.contains("ransfer-"),
        "{first}"
    );
    assert!(
        second.starts_with("POST / ") && second.ends_with("\r\n\r\n"),
        "{second:?}"
    );
    assert!(second.matches("0\r\n\r\n").count() <= 1, "{second:?}");
}

#[test]
fn crumbs_of_cookies_come_as_one_line() {
    let (web, origin, _floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
    let stream = client.request("GET", "/", &crumbs, true).expect("a stream");
    assert_eq!(client.end_of(stream).expect("an answer").status, Some(200));
    assert_eq!(origin.last().header("cookie"), Some("a=1; b=2; c=3"));
}

#[test]
fn what_asks_for_nothing_proper_is_refused() {
    let [method, scheme, authority, path] = WHOLE;
    let long = format!("/{}", "x".repeat(1100));
    assert_refused(&[
        ("no path", vec![method, scheme, authority], RESET),
        (
            "an empty path",
            vec![method, scheme, authority, (":path", "")],
            RESET,
        ),
        ("no method", vec![scheme, authority, path], RESET),
        ("no scheme", vec![method, authority, path], RESET),
        ("two paths", with(path), RESET),
        (
            "a late pseudo-header",
            vec![method, scheme, authority, ("a", "b"), path],
            RESET,
        ),
        (
            "an unknown pseudo-header",
            with((":x", "y")),
            End::Connection,
        ),
        ("a status in a request", with((":status", "200")), RESET),
        ("no authority", vec![method, scheme, path], End::Status(400)),
        (
            "a user in the authority",
            vec![method, scheme, (":authority", "u@a"), path],
            End::Status(400),
        ),
        (
            "a port that is none",
            vec![method, scheme, (":authority", "a:65536"), path],
            End::Status(400),
        ),
        (
            "an absolute path",
            vec![method, scheme, authority, (":path", "http://b/")],
            RESET,
        ),
        (
            "a relative path",
            vec![method, scheme, authority, (":path", "a")],
            RESET,
        ),
        (
            "a path above the root",
            vec![method, scheme, authority, (":path", "/a/../../b")],
            End::Status(400),
        ),
        (
            "an escaped NUL",
            vec![method, scheme, authority, (":path", "/a%00")],
            End::Status(400),
        ),
        (
            "another scheme",
            vec![method, (":scheme", "ftp"), authority, path],
            End::Status(400),
        ),
        (
            "a long target",
            vec![method, scheme, authority, (":path", &long)],
            End::Status(414),
        ),
        (
            "a tunnel",
            vec![(":method", "CONNECT"), authority],
            End::Status(405),
        ),
    ]);
}

#[test]
fn fields_that_may_not_be_there_are_refused() {
    let [method, scheme, _, path] = WHOLE;
    let many: Vec<_> = (0..60).map(|_| ("x", "y")).collect();
    assert_refused(&[
        ("an upper-case name", with(("X-Y", "z")), End::Connection),
        ("connection", with(("connection", "close")), RESET),
        (
            "transfer-encoding",
            with(("transfer-encoding", "chunked")),
            RESET,
        ),
        ("upgrade", with(("upgrade", "websocket")), RESET),
        ("keep-alive", with(("keep-alive", "1")), RESET),
        ("te", with(("te", "gzip")), RESET),
        (
            "a line break in a value",
            with(("a", "b\r\nc: d")),
            End::Connection,
        ),
        ("a NUL in a value", with(("a", "b\0")), End::Connection),
        ("another Host", with(("host", "b")), End::Status(400)),
        (
            "two Hosts",
            vec![method, scheme, path, ("host", "a"), ("host", "a")],
            End::Status(400),
        ),
        ("a padded value", with(("a", " b")), End::Status(400)),
        (
            "many fields",
            [&WHOLE[..], &many].concat(),
            End::Status(431),
        ),
        (
            "two lengths",
            [with(("content-length", "0")), vec![("content-length", "0")]].concat(),
            End::Status(400),
        ),
        ("a signed length", with(("content-length", "+0")), RESET),
        (
            "two credentials",
            [with(("authorization", "a")), vec![("authorization", "b")]].concat(),
            End::Status(400),
        ),
        (
            "two expectations",
            [
                with(("expect", "100-continue")),
                vec![("expect", "100-continue")],
            ]
            .concat(),
            End::Status(417),
        ),
    ]);
}

type Fields<'a> = Vec<(&'a str, &'a str)>;

const WHOLE: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
];

/// A whole request, and one field more.
fn with<'a>(field: (&'a str, &'a str)) -> Fields<'a> {
    [&WHOLE[..], &[field]].concat()
}

/// Each is answered with a status or with the end of the stream; none comes to the origin, and the next request on the
/// same connection is served.
fn assert_refused(table: &[(&str, Fields<'_>, End)]) {
    let (web, origin, floodwall) = start();
    let mut wrong = Vec::new();
    for (what, fields, wanted) in table {
        let found = sent(web, fields);
        if found != *wanted {
            wrong.push(format!("{what}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(origin.seen().iter().all(|seen| seen.target == "/fine"));
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

/// As it has over HTTP/1.
#[test]
fn a_path_has_one_spelling() {
    let (web, origin, _floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    for path in [
        "/a/../b?c=/../d",
        "/a/%2e%2E/b?c=/../d",
        "//b?c=/../d",
        "/%62?c=/../d",
    ] {
        assert_eq!(client.get(path).expect("an answer").status, Some(200));
        assert_eq!(origin.last().target, "/b?c=/../d", "{path}");
    }
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Status(u16),
    Reset(u32),
    /// Of the whole connection: nobody knows what its next header blocks would mean.
    Connection,
}

const RESET: End = End::Reset(reason::PROTOCOL_ERROR);

/// Sends a request of these fields. Whatever becomes of it, the next request is served, on the same connection if that
/// stays.
fn sent(web: SocketAddr, fields: &[(&str, &str)]) -> End {
    let mut client = Http2::connect(web).expect("a connection");
    let stream = client.open(fields, true).expect("it is open");
    let end = match client.end_of(stream) {
        Err(_) => End::Connection,
        Ok(ended) => match ended.reset {
            Some(reason) => End::Reset(reason),
            None => End::Status(ended.status.unwrap_or(0)),
        },
    };
    if end == End::Connection {
        client = Http2::connect(web).expect("a connection");
    }
    assert_eq!(
        client.get("/fine").expect("an answer").status,
        Some(200),
        "after {fields:?}"
    );
    end
}

/// A length that is not kept is an error of the stream, and nothing whole comes to the origin.
#[test]
fn a_body_of_another_length_than_was_said_is_no_request() {
    let (web, origin, _floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    for body in [&b"hello"[..], b"h"] {
        let length = [("content-length", "3")];
        let stream = client
            .request("POST", "/", &length, false)
            .expect("a stream");
        client
            .send(&Frame::data(stream, body, true))
            .expect("it is open");
        let ended = client.end_of(stream).expect("an end");
        assert_eq!(ended.reset, Some(reason::PROTOCOL_ERROR));
    }
    assert_eq!(client.get("/fine").expect("an answer").status, Some(200));
    assert!(origin.seen().iter().all(|seen| seen.target == "/fine"));
}

/// Whether its length was said or not.
#[test]
fn a_body_beyond_the_bound_is_refused() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("max: {", "max: { body: 1KiB,");
    let _floodwall = Floodwall::start(&yaml);
    for fields in [&[("content-length", "2000")][..], &[]] {
        let mut client = Http2::connect(web).expect("a connection");
        let stream = client
            .request("POST", "/", fields, false)
            .expect("a stream");
        for at in 0..4 {
            let piece = Frame::data(stream, &[b'x'; 500], at == 3);
            client.send(&piece).expect("it is open");
        }
        assert_eq!(client.end_of(stream).expect("an answer").status, Some(413));
        assert_eq!(client.get("/fine").expect("an answer").status, Some(200));
    }
    assert!(origin.seen().iter().all(|seen| seen.target == "/fine"));
}
