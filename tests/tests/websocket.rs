//! Connections that change their protocol: none is lost, nothing that was said too early is lost, and each is a
//! request under way until it ends.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use floodwall_tests::{
    Client, Echo, Floodwall, GREETING, Loopback, Signal, Yaml, eventually, raise_open_files, wait,
};

fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN], timeouts: { tunnel: 60s } } }
limits: { seats: { key: none, concurrency: 50000 } }
routes:
  - { name: all, match: { path_prefix: / }, upstream: app, limits: [seats] }
server: { drain: 2s }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
}

/// A handshake with these fields besides, and what is said right behind it.
fn handshake(path: &str, fields: &str, behind: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive, Upgrade\r\n{fields}\r\n{behind}"
    )
}

const WEBSOCKET: &str = "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// An end of a tunnel.
struct Guest(TcpStream);

impl Guest {
    fn enter(web: SocketAddr, fields: &str, behind: &str) -> Self {
        let mut stream = TcpStream::connect(web).expect("a connection");
        stream.set_nodelay(true).expect("it is open");
        stream
            .set_read_timeout(Some(wait::PATIENCE * 6))
            .expect("it is open");
        stream
            .write_all(handshake("/chat", fields, behind).as_bytes())
            .expect("it is open");
        Self(stream)
    }

    fn say(&mut self, words: &str) -> io::Result<()> {
        self.0.write_all(words.as_bytes())
    }

    /// Reads the head of the answer.
    fn head(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.extend(byte);
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    fn hears(&mut self, words: &str) -> io::Result<()> {
        let mut heard = vec![0; words.len()];
        self.0.read_exact(&mut heard)?;
        assert_eq!(String::from_utf8_lossy(&heard), words);
        Ok(())
    }

    /// Whatever comes before the end.
    fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = self.0.read_to_end(&mut rest);
        rest
    }
}

fn in_flight(floodwall: &Floodwall<'_>) -> u64 {
    floodwall.status()["requests"]["in_flight"]
        .as_u64()
        .unwrap_or(u64::MAX)
}

#[test]
fn nothing_that_is_said_early_is_lost() {
    let (web, origin) = (Loopback::free(), Echo::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let mut guest = Guest::enter(web, WEBSOCKET, "early bird");
    let head = guest.head().expect("an answer");
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase().contains("\r\nupgrade: websocket\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase().contains("\r\nconnection: upgrade\r\n"),
        "{head}"
    );
    guest
        .hears(GREETING)
        .expect("what came right behind the answer");
    guest
        .hears("early bird")
        .expect("what was said right behind the request");
    guest.say("and more").expect("it is open");
    guest.hears("and more").expect("an echo");
    assert_eq!(in_flight(&floodwall), 1);
    let seen = origin.heads().pop().expect("the origin saw a request");
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "host: example.org",
        "x-forwarded-for: 127.",
    ] {
        assert!(
            seen.to_lowercase().contains(&format!("\r\n{line}")),
            "{line}: {seen}"
        );
    }
    assert!(!seen.to_lowercase().contains("keep-alive"), "{seen}");
    drop(guest);
    let line = floodwall.logged(|line| line["status"] == 101);
    assert_eq!(line["bytes"], GREETING.len() + "early birdand more".len());
    assert_eq!(
        (&line["route"], &line["upstream"]),
        (&"all".into(), &"app".into())
    );
    assert_eq!(in_flight(&floodwall), 0);
    assert_eq!(floodwall.finished("1xx"), 1);
}

#[test]
fn other_protocols_pass_and_those_of_the_proxy_do_not() {
    let (web, origin) = (Loopback::free(), Echo::start());
    let _floodwall = Floodwall::start(&front(web, origin.address()));
    let mut guest = Guest::enter(web, "Upgrade: chess/1.0\r\n", "e4");
    assert!(
        guest
            .head()
            .expect("an answer")
            .starts_with("HTTP/1.1 101 ")
    );
    guest
        .hears(GREETING)
        .and_then(|()| guest.hears("e4"))
        .expect("an echo");
    for own in ["h2c", "TLS/1.3", "HTTP/2.0"] {
        let fields = format!("Upgrade: {own}\r\nHTTP2-Settings: AAMAAABk\r\n");
        let mut guest = Guest::enter(web, &fields, "");
        assert!(
            guest
                .head()
                .expect("an answer")
                .starts_with("HTTP/1.1 403 "),
            "{own}"
        );
        let seen = origin
            .heads()
            .pop()
            .expect("the origin saw a request")
            .to_lowercase();
        assert!(
            !seen.contains("upgrade") && !seen.contains("http2-settings"),
            "{seen}"
        );
    }
}

/// An upstream that stays with HTTP has its answer passed on, and an odd handshake never gets there.
#[test]
fn a_refusal_is_an_answer() {
    let (web, origin) = (Loopback::free(), Echo::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let refused = handshake("/no", WEBSOCKET, "");
    let answer = Client::of(web)
        .exchange(refused.as_bytes())
        .expect("an answer");
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 403 no\r\n"), "{answer}");
    assert!(
        answer.contains("\r\nx-origin: yes\r\n") && answer.contains("\r\nconnection: close\r\n")
    );
    assert!(
        answer.ends_with("\r\n\r\n3\r\nno\n\r\n0\r\n\r\n"),
        "{answer}"
    );
    floodwall.logged(|line| line["status"] == 403 && line["error"].is_null());
    let odd = handshake(
        "/chat",
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        "",
    );
    let answer = Client::of(web).exchange(odd.as_bytes()).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 400 "));
    assert_eq!(origin.heads().len(), 1);
    let nobody = Loopback::free();
    floodwall.write(&front(web, nobody));
    assert_eq!(floodwall.reload().code, Some(0));
    let asked = handshake("/chat", WEBSOCKET, "");
    let answer = Client::of(web)
        .exchange(asked.as_bytes())
        .expect("an answer");
    assert!(
        answer.starts_with(b"HTTP/1.1 502 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    eventually!(in_flight(&floodwall) == 0);
}

#[test]
fn silence_and_the_end_of_the_service_end_it() {
    let (web, origin) = (Loopback::free(), Echo::start());
    let yaml = front(web, origin.address()).with("tunnel: 60s", "tunnel: 700ms");
    let mut floodwall = Floodwall::start(&yaml);
    let mut silent = Guest::enter(web, WEBSOCKET, "");
    silent.head().expect("an answer");
    let begun = Instant::now();
    assert_eq!(silent.rest(), GREETING.as_bytes());
    assert!(
        begun.elapsed() >= Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    floodwall.logged(|line| line["error"] == "nothing passed through the tunnel for too long");
    floodwall.write(&front(web, origin.address()));
    assert_eq!(floodwall.reload().code, Some(0));
    let mut guest = Guest::enter(web, WEBSOCKET, "");
    guest.head().expect("an answer");
    floodwall.signal(Signal::SIGTERM);
    assert_eq!(guest.rest(), GREETING.as_bytes(), "it ends in order");
    assert!(floodwall.wait(wait::PATIENCE).success());
    floodwall.logged(|line| line["error"] == "the service stops");
}

/// Ten thousand at one time, a few hundred of them shaking hands at once: each is greeted, hears what it said before
/// and after, and none is lost.
#[test]
fn ten_thousand_are_none_too_many() {
    const AT_ONCE: usize = 250;
    // Two ends of each tunnel are open here, and two in the service.
    let open_files = raise_open_files(25_000);
    let guests = 10_000.min((open_files - 1_000) / 2 / AT_ONCE * AT_ONCE);
    if guests < 10_000 {
        eprintln!("only {guests} of 10000: no more than {open_files} files may be open here");
    }
    let (web, origin) = (Loopback::free(), Echo::start());
    // A slow machine takes minutes to let all of them in, and the first ones are silent meanwhile.
    let yaml = front(web, origin.address()).with("tunnel: 60s", "tunnel: 1h");
    let floodwall = Floodwall::start(&yaml);
    let (all, mut guests) = (guests, Vec::<Guest>::with_capacity(guests));
    for group in 0..all / AT_ONCE {
        let first = group * AT_ONCE;
        let entering = (first..first + AT_ONCE)
            .map(|guest| Guest::enter(web, WEBSOCKET, &format!("early {guest:05}")));
        guests.extend(entering);
        for (at, guest) in guests.iter_mut().enumerate().skip(first) {
            let head = guest
                .head()
                .unwrap_or_else(|error| panic!("guest {at}: {error}"));
            assert!(head.starts_with("HTTP/1.1 101 "), "guest {at}: {head}");
            let greeted = guest.hears(GREETING);
            let echoed = greeted.and_then(|()| guest.hears(&format!("early {at:05}")));
            echoed.unwrap_or_else(|error| panic!("guest {at}: {error}"));
        }
    }
    assert_eq!(in_flight(&floodwall), all as u64);
    for (at, guest) in guests.iter_mut().enumerate() {
        guest
            .say(&format!("late {at:05}"))
            .unwrap_or_else(|error| panic!("guest {at}: {error}"));
    }
    for (at, guest) in guests.iter_mut().enumerate() {
        let echoed = guest.hears(&format!("late {at:05}"));
        echoed.unwrap_or_else(|error| panic!("guest {at}: {error}"));
    }
    drop(guests);
    eventually!(in_flight(&floodwall) == 0, within wait::PATIENCE * 3);
    eventually!(origin.open() == 0, within wait::PATIENCE * 3);
    assert_eq!(floodwall.status()["limits"][0]["in_flight"], 0);
    assert_eq!(floodwall.finished("1xx"), all);
    assert_eq!(floodwall.finished("5xx"), 0);
}
