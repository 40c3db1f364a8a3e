//! What one connection says of itself, and the next does not get to hear.

use floodwall_tests::{Client, Floodwall, Http2, Loopback, Script};

use crate::front;

/// What Apache says with its HTTP/2 module, what old proxies say, and a field that `Connection` names.
const TALKATIVE: &str = "HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive, X-Mine\r\n\
    Keep-Alive: timeout=5, max=100\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nX-Mine: 1\r\nX-Kept: 2\r\n\
    Content-Length: 4\r\n\r\ngood";

#[test]
fn an_upstream_speaks_of_its_connection_to_nobody_else() {
    let script = Script::start(|stage| {
        stage.head()?;
        stage.say(TALKATIVE)
    });
    let web = Loopback::free();
    let plain = format!("address: {web}");
    let yaml = front(web, script.address()).with(&plain, plain.clone() + ", http2: true");
    let _floodwall = Floodwall::start(&yaml);
    let mut client = Client::of(web).connect().unwrap();
    for _ in 0..2 {
        let answer = client.get("/").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "good"));
        assert_eq!(answer.header("x-kept"), Some("2"));
        assert_eq!(answer.header("connection"), Some("keep-alive"));
        for name in ["upgrade", "keep-alive", "proxy-connection", "te", "x-mine"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
    }
    // HTTP/2 has no such fields: a response that has one is malformed (RFC 9113, 8.2.2).
    let ended = Http2::connect(web).unwrap().get("/").unwrap();
    assert_eq!((ended.status, ended.reset), (Some(200), None));
    assert_eq!(ended.body, b"good");
}

/// RFC 9112, 6.1: who speaks HTTP/1.0 is sent no chunks, whatever it wishes for its connection.
#[test]
fn a_client_of_http_1_0_is_sent_no_chunks() {
    const CHUNKS: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n";
    const TO_THE_END: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ngood";
    const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    let script = Script::start(|stage| {
        let head = stage.head()?;
        match head.split(' ').nth(1) {
            Some("/chunks") => stage.say(CHUNKS),
            Some("/length") => stage.say(LENGTH),
            _ => {
                stage.say(TO_THE_END)?;
                stage.finish()
            }
        }
    });
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&front(web, script.address()));
    for wish in ["keep-alive", "close"] {
        for path in ["/chunks", "/end"] {
            let request = format!("GET {path} HTTP/1.0\r\nHost: a\r\nConnection: {wish}\r\n\r\n");
            let answer = Client::of(web).exchange(request.as_bytes()).unwrap();
            let answer = String::from_utf8(answer).unwrap().to_ascii_lowercase();
            assert!(!answer.contains("transfer-encoding"), "{answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
            assert!(answer.ends_with("\r\n\r\ngood"), "{answer}");
        }
    }
    // What has a length leaves the connection as it is.
    let mut client = Client::of(web).connect().unwrap();
    for _ in 0..2 {
        client
            .write(b"GET /length HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            .unwrap();
        let answer = client.response().unwrap();
        assert_eq!(answer.body, "good");
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
}
