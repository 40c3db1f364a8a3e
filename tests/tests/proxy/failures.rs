//! Servers that are dead, die or are too slow, and a proxy that is to end.

use std::time::{Duration, Instant};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Signal, eventually};

use crate::front;

#[test]
fn a_dead_server_is_passed_over_for_one_that_lives() {
    let (web, origin, nobody) = (Loopback::free(), Origin::start(), Loopback::free());
    let yaml = front(web, origin.address()).with("[", format!("[{nobody}, "));
    let floodwall = Floodwall::start(&yaml);
    for _ in 0..10 {
        let response = Client::of(web).send(&Request::new("POST", "/").body("sent once"));
        assert_eq!(response.status, 200);
    }
    assert_eq!(origin.count(), 10);
    let upstream = &floodwall.status()["upstreams"][0];
    assert_eq!(
        (&upstream["errors"], &upstream["retries"]),
        (&0.into(), &upstream["connect_failures"])
    );
    assert_ne!(upstream["retries"], 0);
}

#[test]
fn without_retries_a_dead_server_is_a_502() {
    let (web, origin, nobody) = (Loopback::free(), Origin::start(), Loopback::free());
    let yaml = front(web, origin.address())
        .with("[", format!("[{nobody}, "))
        .with("] }", "], retries: { attempts: 0 } }")
        .and("server: { threads: 1 }\n");
    let _floodwall = Floodwall::start(&yaml);
    let statuses = [0; 4].map(|_| Client::of(web).get("/").status);
    assert_eq!(statuses, [502, 200, 502, 200]);
}

#[test]
fn an_upstream_that_is_dead_or_dies_is_a_502() {
    let web = Loopback::free();
    let origin = Origin::start();
    let floodwall = Floodwall::start(&front(web, origin.address()));
    assert_eq!(Client::of(web).get("/hang-up").status, 502);
    assert_eq!(
        origin.count(),
        1,
        "a request that was sent is not sent again"
    );
    drop(origin);
    assert_eq!(Client::of(web).get("/gone").status, 502);
    let line = floodwall.logged(|line| line["path"] == "/gone");
    assert_eq!(
        (&line["status"], &line["verdict"]),
        (&502.into(), &"failed".into())
    );
    assert!(line["error"].is_string());
    assert_eq!(floodwall.status()["upstreams"][0]["errors"], 2);
}

#[test]
fn an_upstream_that_is_too_slow_is_a_504() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("] }", "], timeouts: { read: 100ms } }");
    let floodwall = Floodwall::start(&yaml);
    let begun = Instant::now();
    assert_eq!(Client::of(web).get("/slow/5000").status, 504);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        floodwall.logged(|line| line["status"] == 504)["verdict"],
        "failed"
    );
    assert_eq!(Client::of(web).get("/slow/10").status, 200);
}

#[test]
fn a_route_s_timeout_bounds_the_whole_exchange() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml =
        front(web, origin.address()).with("upstream: app }", "upstream: app, timeout: 200ms }");
    let _floodwall = Floodwall::start(&yaml);
    let begun = Instant::now();
    assert_eq!(Client::of(web).get("/slow/5000").status, 504);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn sigterm_finishes_what_is_under_way() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let mut floodwall = Floodwall::start(&front(web, origin.address()));
    let mut connection = Client::of(web).connect().unwrap();
    connection
        .write(b"GET /slow/500 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    eventually!(origin.count() == 1);
    floodwall.signal(Signal::SIGTERM);
    assert_eq!(connection.response().unwrap().status, 200);
    assert_eq!(floodwall.wait(Duration::from_secs(5)).code(), Some(0));
    assert!(
        Client::of(web).connect().is_err(),
        "nobody listens any more"
    );
    assert_eq!(
        floodwall.logged(|line| line["path"] == "/slow/500")["status"],
        200
    );
}
