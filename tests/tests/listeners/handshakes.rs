//! Handshakes that are slow, wrong, or too many.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use floodwall_tests::{
    Authority, Client, Curl, Floodwall, Loopback, Request, eventually, wait::PATIENCE,
};

use crate::secure;

/// How many connections ended before their first request for this reason.
pub(crate) fn failed(floodwall: &Floodwall<'_>, reason: &str) -> u64 {
    let status = floodwall.status();
    let count = status["connections"]["failed"][reason].as_u64();
    count.expect("every reason is there")
}

#[test]
fn a_slow_handshake_is_cut() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let yaml = secure(web, &[&www], "").with("handshake: 10s", "handshake: 300ms");
    let floodwall = Floodwall::start(&yaml);
    // A hello that says it goes on, and then does not: with nothing, with its beginning, and dripping.
    for sent in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(web).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(sent).unwrap();
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut rest);
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(300) && took < PATIENCE,
            "{took:?}"
        );
    }
    eventually!(failed(&floodwall, "timeout") == 2);
    eventually!(floodwall.status()["listeners"][0]["connections_open"] == 0);
}

#[test]
fn what_is_no_tls_is_told_so_or_closed() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let floodwall = Floodwall::start(&secure(web, &[&www], ""));
    let plain = Client::of(web).send(&Request::get("/"));
    assert_eq!(plain.status, 400);
    assert!(plain.body.contains("HTTPS"), "{}", plain.body);
    for (bytes, reason) in [
        (&b"\x00\x01\x02"[..], "not_tls"),
        (b"\x16\x03\x01\x00\x05hello", "malformed"),
        (b"", "closed"),
    ] {
        let before = failed(&floodwall, reason);
        let mut connection = Client::of(web).connect().unwrap();
        connection.write(bytes).unwrap();
        // A server that has seen enough may have closed by now.
        let _ = connection.finish();
        let answer = connection.read_to_end().unwrap();
        assert!(answer.len() < 10, "at most an alert: {answer:?}");
        eventually!(failed(&floodwall, reason) == before + 1);
    }
    assert_eq!(failed(&floodwall, "plain_http"), 1);
    assert_eq!(
        floodwall.logged(|line| line["status"] == 400)["verdict"],
        "malformed"
    );
}

#[test]
fn handshakes_count_as_connections_and_a_blocked_source_gets_none() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let yaml = secure(web, &[&www], "").with(
        "timeouts:",
        "max: { connections_per_client: 3 }\n    timeouts:",
    );
    let floodwall = Floodwall::start(&yaml);
    let (one, other) = (Loopback::claim().ip(), Loopback::claim().ip());
    let hanging: Vec<_> = (0..3)
        .map(|_| Client::of(web).from(one).connect().unwrap())
        .collect();
    eventually!(floodwall.status()["listeners"][0]["connections_open"] == 3);
    let get = |from: std::net::Ipv4Addr| {
        Curl::new()
            .trusting(&authority.certificate())
            .with("--interface", &from.to_string())
            .https("www.test", web, "/")
    };
    assert_eq!(get(one).status, 0, "a fourth of one client");
    assert_eq!(get(other).body, "hello", "others are served");
    drop(hanging);
    eventually!(get(one).body == "hello");
    let blocked = floodwall.ask(&["blocks", "add", &one.to_string(), "--for", "1m"]);
    assert_eq!(blocked.code, Some(0), "{}", blocked.stderr);
    assert_eq!(get(one).status, 0);
    assert_eq!(get(other).body, "hello");
}
