//! Interim responses, and clients that wait for one (RFC 9110, 10.1.1 and 15.2), over HTTP/1 and HTTP/2.

use std::{net::SocketAddr, time::Duration};

use floodwall_tests::{Client, Connection, Floodwall, Http2, Loopback, Script, h2::Frame};

use crate::front;

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
const WAITS: &[u8] =
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

/// A service that speaks both protocols, in front of what a script does.
fn start(script: &Script) -> (SocketAddr, Floodwall<'static>) {
    let web = Loopback::free();
    let plain = format!("address: {web}");
    let yaml = front(web, script.address()).with(&plain, plain.clone() + ", http2: true");
    (web, Floodwall::start(&yaml))
}

fn waiting(web: SocketAddr) -> Connection {
    let mut client = Client::of(web).connect().unwrap();
    client.write(WAITS).unwrap();
    client
}

/// Opens a stream whose client waits.
fn waiting_stream(web: SocketAddr) -> (Http2, u32) {
    let mut client = Http2::connect(web).unwrap();
    let fields = [("content-length", "4"), ("expect", "100-continue")];
    let stream = client.request("POST", "/x", &fields, false).unwrap();
    (client, stream)
}

#[test]
fn a_client_waits_for_the_origin_s_leave() {
    let script = Script::start(|stage| {
        let head = stage.head()?.to_ascii_lowercase();
        assert!(head.contains("expect: 100-continue"), "{head}");
        // Late, and nothing of the body comes before.
        assert!(stage.hears_nothing_for(Duration::from_millis(200))?);
        stage.say("HTTP/1.1 100 Continue\r\n\r\n")?;
        assert_eq!(stage.take(4)?, b"body");
        stage.say(GOOD)
    });
    let (web, _floodwall) = start(&script);
    let mut client = waiting(web);
    assert_eq!(client.response().unwrap().status, 100);
    client.write(b"body").unwrap();
    assert_eq!(client.response().unwrap().body, "good");
}

/// A client may send its body without leave, when it has waited for long enough.
#[test]
fn a_body_without_leave_reaches_the_origin_too() {
    let script = Script::start(|stage| {
        stage.head()?;
        assert_eq!(stage.take(4)?, b"body");
        stage.say(GOOD)
    });
    let (web, _floodwall) = start(&script);
    let mut client = waiting(web);
    client.write(b"body").unwrap();
    assert_eq!(client.response().unwrap().body, "good");
    let (mut client, stream) = waiting_stream(web);
    client.send(&Frame::data(stream, b"body", true)).unwrap();
    assert_eq!(client.end_of(stream).unwrap().status, Some(200));
}

/// Whoever is refused does not send, and nobody takes its next words for the body.
#[test]
fn a_refusal_instead_of_leave_is_the_answer() {
    let script = Script::start(|stage| {
        stage.head()?;
        stage.say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")?;
        stage.finish()?;
        assert_eq!(stage.rest()?, b"");
        Ok(())
    });
    let (web, _floodwall) = start(&script);
    let mut client = waiting(web);
    let answer = client.response().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (417, "no"));
    client
        .write(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        .ok();
    assert_eq!(client.read_to_end().unwrap(), b"");
    let (mut client, stream) = waiting_stream(web);
    assert_eq!(client.end_of(stream).unwrap().status, Some(417));
}

#[test]
fn hints_come_before_the_answer() {
    let script = Script::start(|stage| {
        stage.head()?;
        stage.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")?;
        stage.say("HTTP/1.1 102 Processing\r\n\r\n")?;
        stage.say(GOOD)
    });
    let (web, _floodwall) = start(&script);
    let mut client = Client::of(web).connect().unwrap();
    let hints = client.get("/").unwrap();
    assert_eq!(hints.status, 103);
    assert_eq!(hints.header("link"), Some("</a.css>; rel=preload"));
    assert_eq!(client.response().unwrap().status, 102);
    assert_eq!(client.response().unwrap().body, "good");
    let ended = Http2::connect(web).unwrap().get("/").unwrap();
    // The engine has no interim responses over HTTP/2.
    assert_eq!((ended.interim, ended.status), (Vec::new(), Some(200)));
    // Who cannot know them gets none.
    let old = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n";
    let answer = Client::of(web).exchange(old).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

/// Each of them would start the clock for the next read anew.
#[test]
fn interim_responses_have_an_end() {
    let script = Script::start(|stage| {
        stage.head()?;
        loop {
            stage.say("HTTP/1.1 103 Early Hints\r\n\r\n")?;
        }
    });
    let (web, floodwall) = start(&script);
    let mut client = Client::of(web).connect().unwrap();
    let mut answer = client.get("/").unwrap();
    let mut hints = 0;
    while answer.status == 103 {
        hints += 1;
        answer = client.response().unwrap();
    }
    // What was read together with the one too many may go with it.
    assert_eq!(answer.status, 502);
    assert!((10..=50).contains(&hints), "{hints}");
    floodwall.logged(|line| line["status"] == 502);
    assert_eq!(
        Http2::connect(web).unwrap().get("/").unwrap().status,
        Some(502)
    );
}
