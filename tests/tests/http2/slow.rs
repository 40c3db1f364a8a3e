//! Clients that stop in the middle: each is cut, soon, and costs little until then.

use std::time::{Duration, Instant};

use floodwall_tests::{
    Floodwall, Http2, Loopback, Origin, eventually,
    h2::{Frame, block, flag, kind, reason, setting},
    wait,
};

use crate::{front, start};

#[test]
fn a_head_that_does_not_end_ends_the_connection() {
    let (web, _origin, floodwall) = start();
    for drips in [false, true] {
        let mut client = Http2::connect(web).expect("a connection");
        // Nothing may come into a header block, so that what is to be answered is answered before.
        client.get("/").expect("an answer");
        let stream = client.new_stream();
        let open = Frame::new(
            kind::HEADERS,
            flag::END_STREAM,
            stream,
            block(&[(":method", "GET")]),
        );
        client.send(&open).expect("it is open");
        let begun = Instant::now();
        if drips {
            let more = Frame::new(kind::CONTINUATION, 0, stream, [0]).bytes();
            let mut bytes = more.iter().cycle();
            wait::paced(
                Duration::from_millis(100),
                Duration::from_millis(600),
                || client.write(&[*bytes.next().expect("without an end")]),
            );
        }
        assert_eq!(
            client.farewell().expect("an end"),
            Some(reason::ENHANCE_YOUR_CALM)
        );
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(600) && took < Duration::from_secs(4),
            "{took:?}"
        );
    }
    assert_eq!(
        floodwall.status()["connections"]["offences"]["slow_header"],
        2
    );
}

#[test]
fn a_preface_that_does_not_come_ends_the_connection() {
    let (web, _origin, _floodwall) = start();
    let client = floodwall_tests::Client::of(web);
    for begun in [&b"PRI * HTTP"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"] {
        let since = Instant::now();
        client.exchange(begun).expect("it is closed");
        assert!(since.elapsed() < Duration::from_secs(5));
    }
}

/// Its settings come first, and not as an answer to others (RFC 9113, 3.4).
#[test]
fn a_client_that_begins_with_anything_else_is_ended() {
    let (web, origin, floodwall) = start();
    let mut asks = Frame::headers(1, &[(":method", "GET")], true);
    asks.payload = block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
    ]);
    let acknowledges = Frame::new(kind::SETTINGS, 1, 0, []);
    let pings = Frame::new(kind::PING, 0, 0, [0; 8]);
    for first in [asks, acknowledges, pings] {
        let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &first.bytes()[..]].concat();
        floodwall_tests::Client::of(web)
            .exchange(&bytes)
            .expect("it is closed");
    }
    eventually!(floodwall.status()["connections"]["offences"]["protocol"] == 3);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_slow_body_is_given_up_and_logged() {
    let (web, origin, floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    let length = [("content-length", "5")];
    let stream = client
        .request("POST", "/body", &length, false)
        .expect("a stream");
    client
        .send(&Frame::data(stream, b"he", false))
        .expect("it is open");
    let ended = client.end_of(stream).expect("an end");
    assert_eq!(ended.reset, Some(reason::CANCEL));
    let line = floodwall.logged(|line| line["path"] == "/body");
    assert_eq!(line["error"], "the request body took too long");
    assert_eq!(line["method"], "POST");
    // Its connection and everybody else stay.
    assert_eq!(client.get("/").expect("an answer").status, Some(200));
    assert_eq!(origin.seen().len(), 1);
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

/// Whoever sends a byte before each bound is slow all the same, and its neighbours stay.
#[test]
fn a_body_that_drips_is_given_up() {
    let (web, _origin, floodwall) = start();
    let mut client = Http2::connect(web).expect("a connection");
    let stream = client
        .request("POST", "/drips", &[], false)
        .expect("a stream");
    let begun = Instant::now();
    let sent = wait::paced(
        Duration::from_millis(200),
        Duration::from_millis(1600),
        || client.send(&Frame::data(stream, b"x", false)),
    );
    assert!(sent.iter().all(Result::is_ok));
    assert_eq!(
        client.end_of(stream).expect("an end").reset,
        Some(reason::CANCEL)
    );
    assert!(begun.elapsed() < Duration::from_secs(4));
    let line = floodwall.logged(|line| line["path"] == "/drips");
    assert_eq!(line["error"], "the request body took too long");
    assert_eq!(client.get("/").expect("an answer").status, Some(200));
}

/// Without a rate the time of a body is from one piece to the next, not in all.
#[test]
fn a_steady_body_may_take_long() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("body: 700ms", "body: 700ms, body_rate: 0B");
    let _floodwall = Floodwall::start(&yaml);
    let mut client = Http2::connect(web).expect("a connection");
    let stream = client.request("POST", "/", &[], false).expect("a stream");
    wait::paced(
        Duration::from_millis(300),
        Duration::from_millis(1600),
        || {
            client
                .send(&Frame::data(stream, b"x", false))
                .expect("it is open");
        },
    );
    client
        .send(&Frame::data(stream, b"", true))
        .expect("it is open");
    assert_eq!(client.end_of(stream).expect("an answer").status, Some(200));
    assert_eq!(origin.last().body, "xxxxxx");
}

#[test]
fn a_route_s_timeout_bounds_a_stream() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml =
        front(web, origin.address()).with("upstream: app }\n", "upstream: app, timeout: 300ms }\n");
    let floodwall = Floodwall::start(&yaml);
    let mut client = Http2::connect(web).expect("a connection");
    assert_eq!(
        client.get("/slow/2000").expect("an answer").status,
        Some(504)
    );
    let head = client
        .request("HEAD", "/slow/2000", &[], true)
        .expect("a stream");
    assert_eq!(client.end_of(head).expect("an answer").status, Some(504));
    // A body that comes steadily and for ever.
    let stream = client
        .request("POST", "/body", &[], false)
        .expect("a stream");
    let begun = Instant::now();
    wait::paced(
        Duration::from_millis(100),
        Duration::from_millis(800),
        || client.send(&Frame::data(stream, b"x", false)),
    );
    client.end_of(stream).expect("an end");
    assert!(begun.elapsed() < Duration::from_secs(3));
    floodwall.logged(|line| line["path"] == "/body");
}

/// A hundred streams of a megabyte each, of which nothing is ever taken.
#[test]
fn streams_that_are_not_read_are_cut_and_cost_no_more_than_the_engine_s_buffers() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("header: 700ms,", "header: 700ms, write: 1500ms,");
    let floodwall = Floodwall::start(&yaml);
    let before = floodwall.resident();
    let settings = [(setting::INITIAL_WINDOW_SIZE, 0)];
    let mut clients: Vec<_> = (0..4)
        .map(|_| {
            let mut client = Http2::connect_from(web, None, &settings).expect("a connection");
            for _ in 0..100 {
                client.request("GET", "/mega", &[], true).expect("a stream");
            }
            client
        })
        .collect();
    eventually!(origin.count() == 400);
    let mut most = 0;
    eventually!({
        most = most.max(floodwall.resident());
        floodwall.status()["requests"]["in_flight"] == 0
    });
    let grown = (most - before) >> 20;
    eprintln!("400 streams of a megabyte that are not read: {grown} MiB");
    // The engine holds up to ten reads of 64 KiB between an origin and a client.
    assert!(grown < 320, "{grown} MiB");
    for client in &mut clients {
        assert_eq!(
            client.get("/status/204").expect("an answer").status,
            Some(204)
        );
    }
}
