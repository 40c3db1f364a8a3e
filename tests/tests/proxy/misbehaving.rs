//! Origins that end, reset, or answer when nobody expects it: the client gets a right answer or a clean end, and the
//! next request is served as if nothing had been.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use floodwall_tests::{
    Client, Floodwall, Http2, Loopback, Request, Script, Stage, eventually,
    h2::{Frame, reason},
};

use crate::front;

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";

/// A service with both protocols on one thread, whose upstream is tried once.
fn start(script: &Script) -> (SocketAddr, Floodwall<'static>) {
    let web = Loopback::free();
    let plain = format!("address: {web}");
    let yaml = front(web, script.address())
        .with(&plain, plain.clone() + ", http2: true")
        .with("servers: [", "retries: { attempts: 0 }, servers: [")
        .and("server: { threads: 1 }\n");
    (web, Floodwall::start(&yaml))
}

/// What an origin says before it resets the connection; nothing at all before it has read the head.
const PHASES: [&str; 8] = [
    "",
    "HTTP/1.1 2",
    "HTTP/1.1 200 OK\r\nContent-Le",
    "HTTP/1.1 103 Early Hints\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngo",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n",
    GOOD,
];

fn play(stage: &mut Stage, phase: usize) -> io::Result<()> {
    let head = stage.head()?;
    if head.starts_with("GET /good") {
        return stage.say(GOOD);
    }
    stage.say(PHASES[phase])?;
    stage.reset()
}

#[test]
fn a_reset_may_come_at_any_time() {
    let phase = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&phase);
    let script = Script::start(move |stage| play(stage, now.load(SeqCst)));
    let (web, floodwall) = start(&script);
    let sound = |answer: io::Result<(u16, String)>, phase: &str| match answer {
        Ok((200, body)) => assert_eq!(body, "good", "after {phase:?}"),
        Ok((status, _)) => assert_eq!(status, 502, "after {phase:?}"),
        // What has begun breaks off, so that nobody takes it for whole.
        Err(_) => assert!(phase.contains("200 OK\r\n"), "after {phase:?}"),
    };
    for (at, said) in PHASES.into_iter().enumerate() {
        phase.store(at, SeqCst);
        let mut client = Client::of(web).connect().unwrap();
        let mut answer = client.get("/");
        while answer.as_ref().is_ok_and(|answer| answer.status == 103) {
            answer = client.response();
        }
        sound(answer.map(|answer| (answer.status, answer.body)), said);
        let ended = Http2::connect(web).unwrap().get("/").unwrap();
        let answer = match ended.reset {
            None => Ok((
                ended.status.unwrap_or(0),
                String::from_utf8(ended.body).unwrap(),
            )),
            Some(_) => Err(io::ErrorKind::ConnectionReset.into()),
        };
        sound(answer, said);
        assert_eq!(Client::of(web).get("/good").body, "good", "after {said:?}");
        eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    }
    eventually!(floodwall.status()["upstreams"][0]["connections"]["open"] == 0);
}

/// An origin that refuses a body without reading it: its answer is the client's, not an error in its place.
#[test]
fn an_answer_may_come_before_the_body() {
    const REFUSED: &str =
        "HTTP/1.1 413 Too Much\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let script = Script::start(|stage| {
        let head = stage.head()?;
        stage.say(REFUSED)?;
        if head.starts_with("POST /reads") {
            stage.rest()?;
        } else {
            stage.finish()?;
            stage.take(64 << 10)?;
        }
        Ok(())
    });
    let (web, floodwall) = start(&script);
    let body = "x".repeat(4 << 20);
    for path in ["/reads", "/leaves"] {
        let answer = Client::of(web).send(&Request::new("POST", path).body(&body));
        assert_eq!((answer.status, answer.body.as_str()), (413, "no"), "{path}");
        let mut client = Http2::connect(web).unwrap();
        let stream = client.request("POST", path, &[], false).unwrap();
        // As much as the stream's first window takes.
        for piece in body.as_bytes().chunks(16 << 10).take(3) {
            client.send(&Frame::data(stream, piece, false)).unwrap();
        }
        let ended = client.end_of(stream).unwrap();
        assert_eq!(
            (ended.status, &ended.body[..]),
            (Some(413), &b"no"[..]),
            "{path}"
        );
        // A client that has its answer sends no more.
        client.send(&Frame::reset(stream, reason::CANCEL)).unwrap();
        eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    }
}

/// A connection on which more came than was asked for has no second request.
#[test]
fn nobody_gets_what_comes_behind_an_answer() {
    for behind in ["x", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"] {
        let script = Script::start(move |stage| {
            loop {
                stage.head()?;
                stage.say(GOOD.to_owned() + behind)?;
            }
        });
        let (web, floodwall) = start(&script);
        let mut client = Client::of(web).connect().unwrap();
        for _ in 0..4 {
            assert_eq!(client.get("/").unwrap().body, "good");
        }
        let connections = floodwall.status()["upstreams"][0]["connections"].clone();
        assert_eq!(connections["opened"], 4, "{behind:?}: {connections}");
        eventually!(floodwall.status()["upstreams"][0]["connections"]["open"] == 0);
    }
}
