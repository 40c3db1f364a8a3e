//! What the origin sees of requests that come close to one another, or whose bodies end in odd ways: each of them
//! whole, in order and once, or not at all.

use std::time::Duration;

use floodwall_tests::{Client, Floodwall, Loopback, Origin, eventually, wait};

use crate::{front, status_of, with_fields};

/// What the origin saw, as method and target, and the body.
fn seen(origin: &Origin) -> Vec<(String, String)> {
    let all = origin.seen().into_iter();
    all.map(|seen| (format!("{} {}", seen.method, seen.target), seen.body))
        .collect()
}

fn pair(first: &str, body: &str) -> (String, String) {
    (first.to_owned(), body.to_owned())
}

/// Each is answered, in order, however the bytes are cut; limits and bounds apply to each of them.
#[test]
fn requests_behind_one_another_are_all_answered() {
    let bytes = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
        POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
        POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
        GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (web, origin) = (Loopback::free(), Origin::start());
    let _floodwall = Floodwall::start(&front(web, origin.address()));
    let middle = bytes.len() / 2;
    for cut in [bytes.len(), 1, 40, middle, bytes.len() - 1] {
        let before = origin.count();
        let mut connection = Client::of(web).connect().expect("a connection");
        connection.write(&bytes[..cut]).expect("it is open");
        wait::for_the_clock(std::time::Instant::now() + Duration::from_millis(20));
        connection.write(&bytes[cut..]).expect("it is open");
        let targets: Vec<_> = (1..=4).map(|at| format!("origin: /{at}\n")).collect();
        for target in &targets {
            let response = connection.response().expect("an answer");
            assert_eq!(
                (response.status, &response.body),
                (200, target),
                "cut at {cut}"
            );
        }
        assert_eq!(connection.read_to_end().expect("it is closed"), b"");
        let expected = [
            pair("GET /1", ""),
            pair("POST /2", "hello"),
            pair("POST /3", "hello"),
            pair("GET /4", ""),
        ];
        assert_eq!(seen(&origin)[before..], expected, "cut at {cut}");
    }
}

/// A body of chunks that two programs could end at two places ends the request, and the origin gets no whole one.
#[test]
fn chunks_are_read_in_one_way() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let flood = format!("5\r\nhello\r\n0\r\n{}\r\n", "X: y\r\n".repeat(60));
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(5000));
    let bodies = [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5_\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;a=\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\r\n\"\r\nhello\r\n0\r\n\r\n",
        "5;;a\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5,\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0x0\r\n\r\n",
        "5\r\nhello\r\n-0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
        "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
        "5\r\nhello\r\n0\r\n folded\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        &flood,
        &long,
    ];
    for (at, body) in bodies.iter().enumerate() {
        let response = Client::of(web)
            .exchange(&with_fields("Transfer-Encoding: chunked\r\n", body))
            .unwrap_or_else(|error| panic!("{body:?}: {error}"));
        // The origin may have answered what it got of the request before the rest of it came.
        if !response.is_empty() {
            let status = if *body == flood { 431 } else { 400 };
            assert_eq!(status_of(&response), status, "{body:?}");
        }
        let rest = String::from_utf8_lossy(response.get(12..).unwrap_or_default()).into_owned();
        assert!(!rest.contains("HTTP/1.1 "), "{body:?}: two responses");
        eventually!(floodwall.access_log().len() == at + 1);
        let line = floodwall.access_log().pop().unwrap_or_default();
        assert_eq!(line["verdict"], "malformed", "{body:?}: {line}");
    }
    assert_eq!(seen(&origin), [], "the origin got a whole request");
    for body in [
        "5;x=y\r\nhello\r\n0\r\n\r\n",
        "5;x=\"y;z\\\"\";last\r\nhello\r\n0;x\r\n\r\n",
        "5\r\nhello\r\n000\r\nA: b\r\n\r\n",
    ] {
        let bytes = with_fields("Transfer-Encoding: chunked\r\nConnection: close\r\n", body);
        let response = Client::of(web).exchange(&bytes).expect("an answer");
        assert_eq!(status_of(&response), 200, "{body:?}");
        assert_eq!(
            seen(&origin).pop(),
            Some(pair("POST /", "hello")),
            "{body:?}"
        );
    }
}

/// One spelling is matched, and the same one is asked for.
#[test]
fn a_path_is_spelled_once() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let asked = |target: &str| {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = Client::of(web)
            .exchange(bytes.as_bytes())
            .expect("an answer");
        status_of(&response)
    };
    for (target, expected) in [
        ("/a/../b", "/b"),
        ("//a//./b?c=//..", "/a/b?c=//.."),
        ("/%61/%2e%2E/b", "/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/%252e%252e/b", "/%252e%252e/b"),
    ] {
        assert_eq!(asked(target), 200, "{target}");
        assert_eq!(origin.last().target, expected, "{target}");
        let shown = floodwall.json(&["explain", "--json", target]);
        let path = expected.split('?').next();
        assert_eq!(shown["path"].as_str(), path, "{target}");
    }
    let before = origin.count();
    for target in [
        "/..",
        "/a/../../b",
        "/%2e%2e/",
        "/a%00",
        "/a%zz",
        "/a\\b",
        "/a/..;/b",
        "/a/..%2f..%2fb",
        "/a%5c..",
        "/%2e%2e%5Cb",
    ] {
        assert_eq!(asked(target), 400, "{target}");
    }
    assert_eq!(origin.count(), before);
}

/// A client that sends a byte now and then is not alive, whatever the bound between two reads says.
#[test]
fn a_body_that_drips_is_cut() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("body: 700ms", "body: 700ms, body_rate: 1KiB");
    let floodwall = Floodwall::start(&yaml);
    let mut connection = Client::of(web).connect().expect("a connection");
    connection
        .write(&with_fields("Content-Length: 1000\r\n", ""))
        .expect("it is open");
    let begun = std::time::Instant::now();
    wait::paced(
        Duration::from_millis(100),
        Duration::from_millis(2500),
        || connection.write(b"x"),
    );
    let line = floodwall.logged(|line| line["status"] == 408);
    assert_eq!(line["error"], "the request body took too long");
    assert!(begun.elapsed() >= Duration::from_millis(700));
    assert_eq!(seen(&origin), []);
}

/// Interim responses are for clients that know them, and what closes is said to close.
#[test]
fn old_clients_get_what_they_know() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let _floodwall = Floodwall::start(&front(web, origin.address()));
    let bytes = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
    let response = Client::of(web)
        .exchange(bytes)
        .expect("it closes by itself");
    assert_eq!(status_of(&response), 200);
    assert_eq!(origin.last().header("expect"), None);
    let odd = with_fields("Expect: miracles\r\n", "");
    assert_eq!(
        status_of(&Client::of(web).exchange(&odd).expect("an answer")),
        417
    );
    let trace = b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(
        status_of(&Client::of(web).exchange(trace).expect("an answer")),
        405
    );
}
