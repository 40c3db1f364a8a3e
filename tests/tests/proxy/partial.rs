//! Answers without a body, with a part of one, and with fields behind it.

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Http2, Loopback, Request, Script, h2::Frame};

use crate::front;

const PARTS: &str = "--x\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n--x\r\nContent-Range: bytes 4-5/9\r\n\r\nef\r\n--x--\r\n";

/// A server of one entity, `abcdefghi`, with the tag "1".
fn entity() -> Script {
    Script::start(|stage| {
        loop {
            let head = stage.head()?;
            let asks = |field: &str| {
                head.to_ascii_lowercase().lines().find_map(|line| {
                    line.strip_prefix(field)?
                        .strip_prefix(": ")
                        .map(str::to_owned)
                })
            };
            let fresh = asks("if-range").is_none_or(|tag| tag == "\"1\"");
            let answer = match (asks("range").filter(|_| fresh).as_deref(), asks("if-none-match")) {
                (_, Some(_)) => "304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 9\r\n\r\n".to_owned(),
                (Some("bytes=2-4"), _) => {
                    "206 Partial Content\r\nContent-Range: bytes 2-4/9\r\nContent-Length: 3\r\n\r\ncde".to_owned()
                }
                (Some("bytes=0-1,4-5"), _) => format!(
                    "206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\nContent-Length: {}\r\n\r\n{PARTS}",
                    PARTS.len()
                ),
                (Some(_), _) => {
                    "416 Range Not Satisfiable\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n".to_owned()
                }
                (None, _) if head.starts_with("HEAD") => {
                    "200 OK\r\nContent-Length: 9\r\nAccept-Ranges: bytes\r\n\r\n".to_owned()
                }
                (None, _) => "200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi".to_owned(),
            };
            stage.say(format!("HTTP/1.1 {answer}"))?;
        }
    })
}

fn start(script: &Script) -> (SocketAddr, Floodwall<'static>) {
    let web = Loopback::free();
    let plain = format!("address: {web}");
    let yaml = front(web, script.address())
        .with(&plain, plain.clone() + ", http2: true")
        .and("server: { threads: 1 }\n");
    (web, Floodwall::start(&yaml))
}

/// What a request with these fields is answered: over HTTP/1 on one connection, and over HTTP/2.
fn answers(web: SocketAddr, method: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let request = fields
        .iter()
        .fold(Request::new(method, "/x"), |request, (name, value)| {
            request.header(name, *value)
        });
    let mut client = Client::of(web).connect().unwrap();
    let first = client.send(&request).unwrap();
    // The connection is in step afterwards.
    assert_eq!(client.send(&request).unwrap().body, first.body);
    let mut client = Http2::connect(web).unwrap();
    let stream = client.request(method, "/x", fields, true).unwrap();
    let second = client.end_of(stream).unwrap();
    assert_eq!(second.status, Some(first.status), "{method} {fields:?}");
    assert_eq!(second.body, first.body.as_bytes(), "{method} {fields:?}");
    (first.status, first.body)
}

#[test]
fn ranges_pass() {
    let script = entity();
    let (web, _floodwall) = start(&script);
    let asked = |fields: &[(&str, &str)]| answers(web, "GET", fields);
    assert_eq!(asked(&[("range", "bytes=2-4")]), (206, "cde".to_owned()));
    assert_eq!(
        asked(&[("range", "bytes=0-1,4-5")]),
        (206, PARTS.to_owned())
    );
    assert_eq!(asked(&[("range", "bytes=90-")]), (416, String::new()));
    let same = [("range", "bytes=2-4"), ("if-range", "\"1\"")];
    assert_eq!(asked(&same), (206, "cde".to_owned()));
    let changed = [("range", "bytes=2-4"), ("if-range", "\"0\"")];
    assert_eq!(asked(&changed), (200, "abcdefghi".to_owned()));
}

#[test]
fn answers_without_a_body_have_none() {
    let script = entity();
    let (web, _floodwall) = start(&script);
    assert_eq!(answers(web, "HEAD", &[]), (200, String::new()));
    let head = Client::of(web).send(&Request::new("HEAD", "/x"));
    assert_eq!(head.header("content-length"), Some("9"));
    let known = [("if-none-match", "\"1\"")];
    assert_eq!(answers(web, "GET", &known), (304, String::new()));
    assert_eq!(answers(web, "HEAD", &known), (304, String::new()));
}

/// They are dropped where one side speaks HTTP/1, and then nobody announces them.
#[test]
fn fields_behind_a_body_do_no_harm() {
    let script = Script::start(|stage| {
        loop {
            let head = stage.head()?.to_ascii_lowercase();
            assert!(!head.contains("\r\ntrailer:"), "{head}");
            if head.contains("transfer-encoding: chunked") {
                let mut body = Vec::new();
                while !body.ends_with(b"0\r\n\r\n") {
                    body.extend(stage.take(1)?);
                }
                assert_eq!(body, b"5\r\nhello\r\n0\r\n\r\n");
            }
            stage.say(concat!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Content-Length\r\n\r\n",
                "4\r\ngood\r\n0\r\nX-Sum: 1\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n"
            ))?;
        }
    });
    let (web, _floodwall) = start(&script);
    let mut client = Client::of(web).connect().unwrap();
    for _ in 0..2 {
        let answer = client.get("/").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "good"));
        assert_eq!(answer.header("trailer"), None);
    }
    client
        .write(b"POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
        .unwrap();
    assert_eq!(client.response().unwrap().body, "good");
    assert_eq!(client.get("/").unwrap().body, "good");
    // What would say where the body ends, or for whom it is, is no field to send behind it.
    let lying = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n";
    let answer = Client::of(web).exchange(lying).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    let mut client = Http2::connect(web).unwrap();
    assert_eq!(client.get("/").unwrap().body, b"good");
    let fields = [("trailer", "x-sum")];
    let stream = client.request("POST", "/", &fields, false).unwrap();
    client.send(&Frame::data(stream, b"hello", false)).unwrap();
    client
        .send(&Frame::headers(stream, &[("x-sum", "1")], true))
        .unwrap();
    let ended = client.end_of(stream).unwrap();
    assert_eq!((ended.status, &ended.body[..]), (Some(200), &b"good"[..]));
}
