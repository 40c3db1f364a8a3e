//! Requests that never end, or turn out too large on the way.

use std::time::{Duration, Instant};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, eventually, wait};

use crate::{front, status_of, with_fields};

/// A head that drips in must be whole before the clock runs out, however alive the connection looks.
#[test]
fn a_slow_head_is_cut() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    for (at, drip) in [false, true].into_iter().enumerate() {
        let mut connection = Client::of(web).connect().expect("a connection");
        connection
            .write(b"GET / HTTP/1.1\r\nHost: a\r\n")
            .expect("it is open");
        let begun = Instant::now();
        if drip {
            let tenth = Duration::from_millis(100);
            wait::paced(tenth, Duration::from_millis(1500), || {
                connection.write(b"X: y\r\n")
            });
        }
        let response = connection.read_to_end().expect("it is closed in time");
        let took = begun.elapsed();
        // With the drip, what it wrote after the end may have turned the end into a reset.
        if !(drip && response.is_empty()) {
            assert_eq!(status_of(&response), 408);
        }
        assert!(
            took >= Duration::from_millis(700) && took < Duration::from_secs(4),
            "{took:?}"
        );
        eventually!(floodwall.access_log().len() == at + 1);
        let line = floodwall.access_log().pop().unwrap_or_default();
        assert_eq!(
            (&line["status"], &line["verdict"]),
            (&408.into(), &"malformed".into())
        );
    }
    assert_eq!(floodwall.status()["requests"]["malformed"], 2);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_slow_body_is_cut() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let response = Client::of(web)
        .exchange(&with_fields("Content-Length: 5\r\n", "he"))
        .expect("it is closed in time");
    assert_eq!(status_of(&response), 408);
    assert_eq!(
        floodwall.logged(|line| line["status"] == 408)["error"],
        "the request body took too long"
    );
}

/// Its length is not announced, so that it is known only while it passes.
#[test]
fn a_body_of_chunks_is_bounded_too() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    let body = format!("{}0\r\n\r\n", chunk.repeat(4));
    let response = Client::of(web)
        .exchange(&with_fields("Transfer-Encoding: chunked\r\n", &body))
        .expect("an answer");
    assert_eq!(status_of(&response), 413);
    floodwall.logged(|line| line["status"] == 413);
    assert!(origin.seen().is_empty(), "the origin got a whole request");
}

/// A client that is still sending when it is refused can read why.
#[test]
fn a_refusal_is_read_by_who_is_still_sending() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let long = "x".repeat(2 << 20);
    let chunk = format!("200000\r\n{long}\r\n0\r\n\r\n");
    for (what, request, status) in [
        (
            "announced",
            with_fields("Content-Length: 2097152\r\n", &long),
            413,
        ),
        (
            "in chunks",
            with_fields("Transfer-Encoding: chunked\r\n", &chunk),
            413,
        ),
        (
            "malformed",
            with_fields("Content-Length: 9\r\nContent-Length: 8\r\n", &long),
            400,
        ),
    ] {
        let mut connection = Client::of(web).connect().expect("a connection");
        connection
            .write(&request)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        connection.finish().expect("it is open");
        let response = connection.read_to_end().expect("it is closed in time");
        assert_eq!(status_of(&response), status, "{what}");
    }
    // Who goes on for ever is left.
    let mut connection = Client::of(web).connect().expect("a connection");
    let begun = Instant::now();
    connection
        .write(&with_fields("Content-Length: 2097152\r\n", "x"))
        .expect("it is open");
    assert_eq!(connection.response().expect("an answer").status, 413);
    eventually!(connection.write(b"x").is_err(), within Duration::from_secs(5));
    assert!(begun.elapsed() > Duration::from_secs(1));
    eventually!(floodwall.status()["connections"]["open"] == 0);
    assert_eq!(origin.count(), 0);
}

/// Whoever opens connections and sends nothing takes nobody else's place.
#[test]
fn connections_are_bounded_for_each_client() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("max: {", "max: { connections_per_client: 3,");
    let floodwall = Floodwall::start(&yaml);
    let greedy = Client::of(web).from(Loopback::claim().ip());
    let mut held: Vec<_> = (0..3)
        .map(|_| greedy.connect().expect("a connection"))
        .collect();
    for connection in &mut held {
        assert_eq!(connection.get("/").expect("a response").status, 200);
    }
    let fourth = greedy
        .connect()
        .and_then(|mut connection| connection.get("/"));
    fourth.expect_err("a fourth connection");
    assert_eq!(Client::of(web).get("/").status, 200);
    assert_eq!(floodwall.status()["connections"]["refused_full"], 1);
    held.pop();
    eventually!(
        greedy
            .try_send(&Request::get("/"))
            .is_ok_and(|response| response.status == 200)
    );
}

/// Whoever they are from.
#[test]
fn connections_are_bounded_in_all() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("max: {", "max: { connections: 3,");
    let floodwall = Floodwall::start(&yaml);
    let somebody = || Client::of(web).from(Loopback::claim().ip());
    let mut held: Vec<_> = (0..3)
        .map(|_| somebody().connect().expect("a connection"))
        .collect();
    for connection in &mut held {
        assert_eq!(connection.get("/").expect("a response").status, 200);
    }
    let fourth = somebody()
        .connect()
        .and_then(|mut connection| connection.get("/"));
    fourth.expect_err("a fourth connection");
    assert_eq!(floodwall.status()["connections"]["refused_full"], 1);
    held.pop();
    eventually!(
        somebody()
            .try_send(&Request::get("/"))
            .is_ok_and(|response| response.status == 200)
    );
}

#[test]
fn a_connection_without_a_request_ends() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("timeouts: {", "timeouts: { idle: 1s,");
    let floodwall = Floodwall::start(&yaml);
    let mut silent = Client::of(web).connect().expect("a connection");
    let mut served = Client::of(web).connect().expect("a connection");
    assert_eq!(served.get("/").expect("a response").status, 200);
    for connection in [&mut silent, &mut served] {
        let said = connection.read_to_end().expect("it is closed in time");
        assert_eq!(said, b"", "there was no request to answer");
    }
    eventually!(floodwall.status()["connections"]["open"] == 0);
    assert_eq!(floodwall.status()["requests"]["malformed"], 0);
}

/// A connection that says nothing holds what it takes to wait for it, whether it has asked for something or not.
#[test]
fn connections_that_say_nothing_cost_next_to_nothing() {
    const MANY: usize = 500;
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let open = |count| -> Vec<_> {
        let connect = || Client::of(web).connect().expect("a connection");
        let served = || {
            let mut connection = connect();
            assert_eq!(connection.get("/").expect("a response").status, 200);
            connection
        };
        (0..count).flat_map(|_| [served(), connect()]).collect()
    };
    // What each thread needs once is there after the first of them.
    let first = open(100);
    let settled = |count| eventually!(floodwall.status()["connections"]["open"] == count);
    settled(first.len());
    let before = floodwall.resident();
    let more = open(MANY);
    settled(first.len() + more.len());
    let each = floodwall.resident().saturating_sub(before) / more.len();
    eprintln!("a connection that says nothing: {each} bytes");
    assert!(each < 8 << 10, "{each} bytes");
}
