//! An origin that breaks off at every byte, says nonsense, or says too much: the client gets a right answer or an end
//! that looks like one, the next request is served as if nothing had been, and nothing is held for ever.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use floodwall_tests::{Client, Floodwall, Loopback, Request, Yaml, eventually};

/// Answers each connection's requests with the same bytes, and closes behind them.
struct Script {
    address: SocketAddr,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Script {
    fn start() -> Self {
        let listener = TcpListener::bind((Loopback::claim().ip(), 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&bytes);
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read(&mut byte).is_ok_and(|read| read == 1)
                {
                    head.extend(byte);
                }
                let bytes = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // The proxy may have had enough already.
                let _ = stream.write_all(&bytes);
            }
        });
        Self { address, bytes }
    }

    fn says(&self, bytes: &[u8]) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
    }
}

fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN], timeouts: { read: 2s }, retries: { attempts: 0 }, max_in_flight: 5 } }
routes:
  - { name: all, match: { path_prefix: / }, upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
}

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";

/// The next request is answered rightly, and nothing is under way.
fn assert_sound(floodwall: &Floodwall<'_>, web: SocketAddr, origin: &Script, after: &str) {
    origin.says(GOOD);
    let response = Client::of(web).try_send(&Request::get("/"));
    let response = response.unwrap_or_else(|error| panic!("after {after}: {error}"));
    assert_eq!(
        (response.status, response.body.as_str()),
        (200, "good"),
        "after {after}"
    );
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
}

#[test]
fn an_answer_may_end_at_every_byte() {
    let (web, origin) = (Loopback::free(), Script::start());
    let floodwall = Floodwall::start(&front(web, origin.address));
    let length: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
    let chunks: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n";
    for whole in [length, chunks] {
        for end in 0..=whole.len() {
            origin.says(&whole[..end]);
            let client = Client::of(web);
            match client.try_send(&Request::get("/")) {
                // What looks whole is whole, or is the proxy's own word.
                Ok(response) if response.status == 200 => {
                    assert_eq!(response.body, "hello", "cut at {end}");
                }
                Ok(response) => assert_eq!(response.status, 502, "cut at {end}"),
                Err(_) => assert!(end < whole.len(), "the whole answer broke off"),
            }
        }
        assert_sound(&floodwall, web, &origin, "all ends");
    }
}

#[test]
fn nonsense_is_no_answer() {
    let (web, origin) = (Loopback::free(), Script::start());
    let floodwall = Floodwall::start(&front(web, origin.address));
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n",
        "X: y\r\n".repeat(400)
    );
    let storm = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(3);
    for (what, bytes, statuses) in [
        ("silence", &b""[..], &[502][..]),
        ("garbage", b"\0\x01\x02 garbage\r\n\r\n", &[502]),
        ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n", &[502]),
        ("too many fields", many.as_bytes(), &[502]),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhey",
            &[502],
        ),
        (
            "a length that is none",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhey",
            &[502],
        ),
        (
            "an upgrade that nobody asked for",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            &[502],
        ),
        ("interim answers and an end", storm.as_bytes(), &[502]),
    ] {
        origin.says(bytes);
        match Client::of(web).try_send(&Request::get("/")) {
            Ok(response) => assert!(
                statuses.contains(&response.status) || response.status == 103,
                "{what}: {}",
                response.status
            ),
            Err(error) => eprintln!("{what}: {error}"),
        }
        assert_sound(&floodwall, web, &origin, what);
    }
}

/// What comes behind an answer is nobody's: the next request does not get it.
#[test]
fn a_second_answer_is_given_to_nobody() {
    let (web, origin) = (Loopback::free(), Script::start());
    let floodwall = Floodwall::start(&front(web, origin.address));
    let twice = [GOOD, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"].concat();
    origin.says(&twice);
    let mut connection = Client::of(web).connect().expect("a connection");
    for _ in 0..3 {
        let Ok(response) = connection.get("/") else {
            connection = Client::of(web).connect().expect("a connection");
            continue;
        };
        assert_ne!(response.body, "evil");
    }
    assert_sound(&floodwall, web, &origin, "two answers");
}
