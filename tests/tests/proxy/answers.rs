//! Answers that are wrong, odd, or in an older language: the client gets one right message, or a 502.

use std::sync::{Arc, Mutex};

use floodwall_tests::{Client, Floodwall, Http2, Loopback, Script};

use crate::front;

/// An origin that answers everything but `/good` with the same bytes, and closes behind them.
fn origin() -> (Script, Arc<Mutex<String>>) {
    let answer = Arc::<Mutex<String>>::default();
    let said = Arc::clone(&answer);
    let script = Script::start(move |stage| {
        let head = stage.head()?;
        if head.starts_with("GET /good ") {
            return stage.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
        }
        let bytes = said.lock().unwrap().clone();
        stage.say(bytes)
    });
    (script, answer)
}

/// What an origin says, and what a client of HTTP/1.1 and one of HTTP/2 are told: a status, and fields that are there
/// with their values or must not be.
type Case<'a> = (&'a str, u16, &'a [(&'a str, Option<&'a str>)]);

const HELLO: &str = "hello";

fn assert_told(cases: &[Case<'_>]) {
    let (script, answer) = origin();
    let web = Loopback::free();
    let plain = format!("address: {web}");
    let yaml = front(web, script.address())
        .with(&plain, plain.clone() + ", http2: true")
        .with("servers: [", "retries: { attempts: 0 }, servers: [");
    let _floodwall = Floodwall::start(&yaml);
    for (head, status, fields) in cases {
        let chunked = head.to_ascii_lowercase().contains("encoding: chunked\r\n");
        let body = if chunked {
            "5\r\nhello\r\n0\r\n\r\n"
        } else {
            HELLO
        };
        *answer.lock().unwrap() = format!("HTTP/1.{head}\r\n{body}");
        let raw = Client::of(web)
            .exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
        let raw = String::from_utf8(raw).unwrap();
        assert!(
            raw.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head:?}: {raw}"
        );
        assert_eq!(raw.matches("HTTP/1.").count(), 1, "{head:?}: {raw}");
        let (said, body) = raw.split_once("\r\n\r\n").unwrap();
        let lines: Vec<_> = said.lines().skip(1).map(str::to_ascii_lowercase).collect();
        for (name, value) in *fields {
            let found: Vec<_> = lines
                .iter()
                .filter_map(|line| line.strip_prefix(&format!("{name}: ")))
                .collect();
            assert_eq!(
                found,
                value.iter().copied().collect::<Vec<_>>(),
                "{head:?}: {raw}"
            );
        }
        if *status == 200 {
            let framed = lines.contains(&"transfer-encoding: chunked".to_owned());
            let whole = if framed {
                "5\r\nhello\r\n0\r\n\r\n"
            } else {
                HELLO
            };
            assert_eq!(body, whole, "{head:?}");
        }
        let ended = Http2::connect(web).unwrap().get("/").unwrap();
        assert_eq!(
            (ended.status, ended.reset),
            (Some(*status), None),
            "{head:?}"
        );
        if *status == 200 {
            assert_eq!(ended.body, HELLO.as_bytes(), "{head:?}");
        }
        assert_eq!(Client::of(web).get("/good").body, "good", "after {head:?}");
    }
}

#[test]
fn a_length_is_said_once_and_in_digits() {
    let five = [("content-length", Some("5"))];
    assert_told(&[
        (
            "1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
            200,
            &five,
        ),
        ("1 200 OK\r\nContent-Length: 5, 5\r\n", 200, &five),
        ("1 200 OK\r\nContent-Length: 05\r\n", 200, &five),
        ("1 200 OK\r\nContent-Length : 5\r\n", 200, &five),
        (
            "1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
            502,
            &[],
        ),
        ("1 200 OK\r\nContent-Length: 5, 6\r\n", 502, &[]),
        ("1 200 OK\r\nContent-Length: +5\r\n", 502, &[]),
        ("1 200 OK\r\nContent-Length:\r\n", 502, &[]),
        (
            "1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
            502,
            &[],
        ),
    ]);
}

#[test]
fn a_body_in_another_encoding_is_no_answer() {
    let chunks = [
        ("content-length", None),
        ("transfer-encoding", Some("chunked")),
    ];
    assert_told(&[
        (
            "1 200 OK\r\nTransfer-Encoding: Chunked\r\n",
            200,
            &[("content-length", None)],
        ),
        (
            "1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            200,
            &chunks,
        ),
        ("1 200 OK\r\nTransfer-Encoding: gzip\r\n", 502, &[]),
        ("1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", 502, &[]),
        ("1 200 OK\r\nTransfer-Encoding: identity\r\n", 502, &[]),
        (
            "1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            502,
            &[],
        ),
        ("1 200 OK\r\nTransfer-Encoding:\r\n", 502, &[]),
    ]);
}

/// Where its body ends is nothing that an answer takes back.
#[test]
fn a_length_is_not_of_the_connection() {
    assert_told(&[(
        "1 200 OK\r\nConnection: content-length\r\nContent-Length: 5\r\n",
        200,
        &[("content-length", Some("5"))],
    )]);
}

#[test]
fn an_answer_is_in_the_proxy_s_own_version() {
    assert_told(&[
        (
            "0 200 OK\r\nContent-Length: 5\r\n",
            200,
            &[("content-length", Some("5"))],
        ),
        (
            "0 200 OK\r\n",
            200,
            &[("transfer-encoding", Some("chunked"))],
        ),
        ("2 200 OK\r\nContent-Length: 5\r\n", 502, &[]),
    ]);
}

#[test]
fn an_answer_without_a_body_announces_none() {
    let none = [("content-length", None), ("transfer-encoding", None)];
    assert_told(&[
        ("1 204 No Content\r\nContent-Length: 5\r\n", 204, &none),
        (
            "1 204 No Content\r\nTransfer-Encoding: chunked\r\n",
            204,
            &none,
        ),
        (
            "1 304 Not Modified\r\nContent-Length: 5\r\n",
            304,
            &[("content-length", Some("5"))],
        ),
    ]);
}

#[test]
fn nobody_changes_protocols_unasked() {
    assert_told(&[
        (
            "1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
            502,
            &[],
        ),
        ("1 101 Switching Protocols\r\n", 502, &[]),
    ]);
}
