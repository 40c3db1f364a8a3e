//! The end of the service under load: what has begun is finished, over every protocol, and the rest is told.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use floodwall_tests::{
    Client, Echo, Floodwall, GREETING, Http2, Loopback, Origin, Signal, eventually, wait,
};

use crate::front;

const EACH: usize = 40;

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn chat(web: SocketAddr) -> TcpStream {
    let mut chat = TcpStream::connect(web).unwrap();
    chat.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    chat.write_all(HANDSHAKE.as_bytes()).unwrap();
    let mut said = Vec::new();
    while !said.ends_with(GREETING.as_bytes()) {
        let mut byte = [0];
        chat.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    chat
}

#[test]
fn nothing_that_has_begun_is_lost() {
    let (web, origin, echo) = (Loopback::free(), Origin::start(), Echo::start());
    let plain = format!("address: {web}");
    let yaml = front(web, origin.address())
        .with(&plain, plain.clone() + ", http2: true")
        .with(
            "routes:\n",
            format!(
                "  chat: {{ servers: [{}] }}\nroutes:\n  - {{ name: chat, match: {{ path: /chat }}, upstream: chat }}\n",
                echo.address()
            ),
        )
        .with("upstreams: { app: { servers: [", "upstreams:\n  app: { servers: [")
        .with("] } }\n", "] }\n")
        .and("server: { drain: 4s, threads: 2 }\n");
    let mut floodwall = Floodwall::start(&yaml);
    let mut chats: Vec<_> = (0..EACH).map(|_| chat(web)).collect();
    thread::scope(|scope| {
        let plain: Vec<_> = (0..EACH)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = Client::of(web).connect().unwrap();
                    client.get("/slow/1500").unwrap()
                })
            })
            .collect();
        let streams = scope.spawn(move || {
            let mut client = Http2::connect(web).unwrap();
            let streams: Vec<_> = (0..EACH)
                .map(|_| client.request("GET", "/slow/1500", &[], true).unwrap())
                .collect();
            // The others are in the log; their ends come in any order.
            let last = client.end_of(streams[EACH - 1]).unwrap().status;
            client.farewell().unwrap();
            last
        });
        eventually!(floodwall.status()["requests"]["in_flight"] == 3 * EACH);
        floodwall.signal(Signal::SIGTERM);
        eventually!(Client::of(web).connect().is_err());
        // Chats go on while there is time.
        for chat in &mut chats {
            chat.write_all(b"still there?").unwrap();
            let mut heard = [0; 12];
            chat.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"still there?");
        }
        for client in plain {
            let answer = client.join().unwrap();
            assert_eq!(answer.status, 200);
            assert!(answer.closes(), "{answer:?}");
        }
        assert_eq!(streams.join().unwrap(), Some(200));
    });
    // And then they end in order.
    for mut chat in chats {
        assert_eq!(chat.read(&mut [0; 8]).unwrap(), 0);
    }
    assert_eq!(floodwall.wait(Duration::from_secs(10)).code(), Some(0));
    let log = floodwall.access_log();
    let served = |line: &&serde_json::Value| line["path"] == "/slow/1500" && line["status"] == 200;
    assert_eq!(log.iter().filter(served).count(), 2 * EACH);
}

/// Who was let in had no time yet to ask: such a client takes an end without an answer for a failure.
#[test]
fn who_has_just_come_is_served() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let plain = format!("address: {web}");
    let yaml = front(web, origin.address()).with(&plain, plain.clone() + ", http2: true");
    let mut floodwall = Floodwall::start(&yaml);
    let mut client = Client::of(web).connect().unwrap();
    let mut stream = TcpStream::connect(web).unwrap();
    stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    let silent = Client::of(web).connect().unwrap();
    eventually!(floodwall.status()["connections"]["open"] == 3);
    floodwall.signal(Signal::SIGTERM);
    eventually!(Client::of(web).connect().is_err());
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let answer = client.get("/").unwrap();
    assert_eq!((answer.status, answer.closes()), (200, true));
    // The first frame of a server is SETTINGS (RFC 9113, 3.4); HTTP/1 would have begun with its name.
    let mut header = [0; 9];
    stream.read_exact(&mut header).unwrap();
    assert_eq!(header[3], 4, "{header:?}");
    assert_eq!(floodwall.wait(Duration::from_secs(10)).code(), Some(0));
    drop(silent);
}
