//! Copies of requests that another upstream gets to see.

use std::net::{SocketAddr, TcpListener};

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Request, Yaml, eventually};

fn front(web: SocketAddr, app: &Origin, copies: SocketAddr, mirror: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [APP] }, copies: { servers: [COPIES] } }
routes:
  - { name: all, upstream: app, rewrite: { path_regex: { pattern: '^/old', replacement: /new } }, request_headers: { set: { x-a: '1' } }, mirror: { upstream: copies MORE } }
",
    )
    .with("WEB", web)
    .with("APP", app.address())
    .with("COPIES", copies)
    .with(" MORE", mirror)
}

#[test]
fn a_copy_is_what_the_upstream_got_and_its_answer_is_nobodys() {
    let (web, app, copies) = (Loopback::free(), Origin::start(), Origin::start());
    copies.be(Mood::Status(500));
    let floodwall = Floodwall::start(&front(web, &app, copies.address(), ""));
    let request = Request::new("POST", "/old/x?y=1")
        .host("shop.example")
        .body("the body");
    let response = Client::of(web).send(&request);
    assert_eq!(
        (response.status, response.body.as_str()),
        (200, "origin: /new/x?y=1\n")
    );
    eventually!(copies.count() == 1);
    let (copy, seen) = (copies.last(), app.last());
    assert_eq!(
        (copy.method.as_str(), copy.body.as_str()),
        ("POST", "the body")
    );
    assert_eq!(copy.target, seen.target);
    for name in ["host", "x-a", "x-request-id", "x-forwarded-for"] {
        assert_eq!(copy.header(name), seen.header(name), "{name}");
    }
    assert_eq!(copy.header("x-floodwall-mirror"), Some("all"));
    assert_eq!(seen.header("x-floodwall-mirror"), None);
    eventually!(floodwall.status()["mirrors"][0]["answered"] == 1);
    // One without a body as well.
    Client::of(web).get("/plain");
    eventually!(copies.count() == 2);
    assert_eq!(copies.last().target, "/plain");
    let explained = floodwall.ask(&["explain", "/"]);
    assert!(
        explained.stdout.contains("mirror: 100% to upstream copies"),
        "{}",
        explained.stdout
    );
}

#[test]
fn a_mirror_that_hangs_or_is_gone_delays_and_fails_nobody() {
    let (web, app) = (Loopback::free(), Origin::start());
    // It takes connections in, and never says a word.
    let silent = TcpListener::bind(Loopback::free()).expect("a free port");
    let copies = silent.local_addr().expect("a listener has an address");
    let floodwall = Floodwall::start(&front(
        web,
        &app,
        copies,
        ", max_in_flight: 2, timeout: 60s",
    ));
    let client = Client::of(web);
    for _ in 0..4 {
        assert_eq!(client.get("/").status, 200);
    }
    let mirror = || floodwall.status()["mirrors"][0].clone();
    assert_eq!(
        (&mirror()["in_flight"], &mirror()["too_many"]),
        (&2.into(), &2.into())
    );
    // Both connections break, and no other can be opened.
    drop(silent);
    eventually!(mirror()["failed"] == 2);
    assert_eq!(client.get("/").status, 200);
    eventually!(mirror()["failed"] == 3);
    assert_eq!(mirror()["in_flight"], 0);
}

#[test]
fn only_the_share_is_copied_and_no_large_body() {
    let (web, app, copies) = (Loopback::free(), Origin::start(), Origin::start());
    let floodwall = Floodwall::start(&front(
        web,
        &app,
        copies.address(),
        ", share: 25%, body: 1KiB",
    ));
    let client = Client::of(web);
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 200);
    }
    eventually!(floodwall.status()["mirrors"][0]["answered"] == 5);
    assert_eq!(copies.count(), 5);
    let large = "x".repeat(1025);
    for _ in 0..4 {
        let response = client.send(&Request::new("POST", "/").body(&large));
        assert_eq!(response.status, 200);
        assert_eq!(app.last().body.len(), 1025);
    }
    eventually!(floodwall.status()["mirrors"][0]["too_large"] == 1);
    assert_eq!(copies.count(), 5);
}
