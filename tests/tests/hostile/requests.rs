//! Requests that could be read in two ways, or are none at all.

use std::fmt::Write;

use floodwall_tests::{Client, Floodwall, Loopback, Origin, eventually};

use crate::{front, status_of, with_fields};

/// Sends each of the inputs on a connection of its own, and asserts the status it gets, that nothing else comes
/// on that connection, that the log has it and the counter counts it, and that the origin saw nothing.
fn assert_refused(inputs: &[(&str, Vec<u8>, u16)]) {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let mut wrong = Vec::new();
    for (at, (name, bytes, status)) in inputs.iter().enumerate() {
        let response = Client::of(web).exchange(bytes);
        let response = response.unwrap_or_else(|error| panic!("{name}: {error}"));
        let got = status_of(&response);
        if got != *status {
            wrong.push(format!("{name}: {got} instead of {status}"));
        }
        let rest = String::from_utf8_lossy(&response[12..]);
        assert!(!rest.contains("HTTP/1.1 "), "{name}: two responses");
        eventually!(floodwall.access_log().len() == at + 1);
        let line = floodwall.access_log().pop().unwrap_or_default();
        assert_eq!(line["status"], got, "{name}");
        assert_eq!(line["verdict"], "malformed", "{name}");
        assert!(line["error"].is_string(), "{name}: {line}");
        assert_eq!(
            floodwall.status()["requests"]["malformed"],
            at + 1,
            "{name}"
        );
    }
    assert_eq!(origin.count(), 0, "{:?}", origin.seen());
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Nothing of this keeps anybody else from being served.
    assert_eq!(Client::of(web).get("/").status, 200);
}

#[test]
fn a_request_has_one_host() {
    let of = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n").into_bytes();
    assert_refused(&[
        ("none", of(""), 400),
        ("empty", of("Host:\r\n"), 400),
        ("two", of("Host: a\r\nHost: b\r\n"), 400),
        ("the same twice", of("Host: a\r\nHost: a\r\n"), 400),
        ("a list", of("Host: a, b\r\n"), 400),
        ("a path in it", of("Host: a/b\r\n"), 400),
        ("somebody in it", of("Host: me@a\r\n"), 400),
        ("a port that is none", of("Host: a:b\r\n"), 400),
    ]);
}

#[test]
fn a_body_has_one_length() {
    let hello = "hello";
    assert_refused(&[
        (
            "length and encoding",
            with_fields(
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "encoding and length",
            with_fields(
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "two lengths",
            with_fields("Content-Length: 5\r\nContent-Length: 6\r\n", hello),
            400,
        ),
        (
            "the same length twice",
            with_fields("Content-Length: 5\r\nContent-Length: 5\r\n", hello),
            400,
        ),
        (
            "a list of lengths",
            with_fields("Content-Length: 5, 5\r\n", hello),
            400,
        ),
        (
            "no number",
            with_fields("Content-Length: five\r\n", hello),
            400,
        ),
        ("empty", with_fields("Content-Length:\r\n", hello), 400),
        ("a sign", with_fields("Content-Length: +5\r\n", hello), 400),
        (
            "negative",
            with_fields("Content-Length: -5\r\n", hello),
            400,
        ),
        (
            "hexadecimal",
            with_fields("Content-Length: 0x5\r\n", hello),
            400,
        ),
        (
            "beyond 64 bits",
            with_fields("Content-Length: 99999999999999999999\r\n", hello),
            400,
        ),
        (
            "space before the colon",
            with_fields("Content-Length : 5\r\n", hello),
            400,
        ),
        (
            "another encoding",
            with_fields("Transfer-Encoding: gzip\r\n", hello),
            400,
        ),
        (
            "encodings",
            with_fields("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            501,
        ),
        (
            "two encodings",
            with_fields(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
    ]);
}

#[test]
fn a_head_is_bounded() {
    let many = (0..60).fold(String::new(), |mut all, at| {
        let _ = write!(all, "X-{at}: y\r\n");
        all
    });
    let line = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    assert_refused(&[
        ("too many fields", with_fields(&many, ""), 431),
        (
            "a field too long",
            with_fields(&format!("X: {}\r\n", "y".repeat(9 << 10)), ""),
            431,
        ),
        (
            "a field without end",
            with_fields(&format!("X: {}", "y".repeat(64 << 10)), "")[..40 << 10].to_vec(),
            431,
        ),
        (
            "a target too long",
            line(&format!("/{}", "x".repeat(2 << 10))),
            414,
        ),
        (
            "a body too long",
            with_fields("Content-Length: 1025\r\n", &"x".repeat(1025)),
            413,
        ),
    ]);
}

#[test]
fn a_head_is_well_formed() {
    let of = |text: &str| text.as_bytes().to_vec();
    assert_refused(&[
        ("words", of("hello there\r\n\r\n"), 400),
        ("bytes", (128..=255).chain(*b"\r\n\r\n").collect(), 400),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a hello of another kind \r\n\r\n"
                .to_vec(),
            400,
        ),
        (
            "a NUL in a field",
            of("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
            400,
        ),
        (
            "a NUL in the target",
            of("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
        ),
        ("a bare LF", of("GET / HTTP/1.1\nHost: a\n\n"), 400),
        (
            "one bare LF",
            of("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
            400,
        ),
        (
            "a bare CR",
            of("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
            400,
        ),
        (
            "a folded line",
            of("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
            400,
        ),
        (
            "a field without a name",
            of("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
            400,
        ),
        (
            "a field without a colon",
            of("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
            400,
        ),
        ("no version", of("GET /\r\n\r\n"), 400),
        (
            "another version",
            of("GET / HTTP/3.7\r\nHost: a\r\n\r\n"),
            400,
        ),
    ]);
}

#[test]
fn a_target_is_a_path() {
    let line = |first: &str| format!("{first} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    assert_refused(&[
        (
            "a tunnel",
            b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n".to_vec(),
            405,
        ),
        (
            "a tunnel to somebody else",
            line("CONNECT example.org:443"),
            400,
        ),
        (
            "somebody else's server",
            line("GET http://other.example.org/"),
            400,
        ),
        ("relative", line("GET index.html"), 400),
        ("a star", line("GET *"), 400),
        ("a fragment", line("GET /a#b"), 400),
        ("bytes that are not ASCII", line("GET /\u{e9}"), 400),
        ("empty", line("GET "), 400),
    ]);
}

#[test]
fn metrics_count_what_is_refused() {
    let ip = Loopback::claim();
    let (web, admin, origin) = (ip.free_port(), ip.free_port(), Origin::start());
    let yaml = front(web, origin.address()).and(&format!("admin: {{ address: {admin} }}\n"));
    let _floodwall = Floodwall::start(&yaml);
    for _ in 0..3 {
        let response = Client::of(web)
            .exchange(b"nonsense\r\n\r\n")
            .expect("an answer");
        assert_eq!(status_of(&response), 400);
    }
    let metrics = Client::of(admin).get("/metrics");
    assert!(
        metrics
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    assert!(
        metrics
            .body
            .contains("floodwall_requests_malformed_total 3\n"),
        "{}",
        metrics.body
    );
    assert!(
        metrics
            .body
            .contains("floodwall_requests_total{status=\"4xx\"} 3\n"),
        "{}",
        metrics.body
    );
}
