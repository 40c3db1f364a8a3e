//! Connections to servers: how many are kept, for how long, and what becomes of those to servers that left.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Request, Yaml, eventually, wait};
use serde_json::Value;

use crate::{front, statuses, upstream};

/// The file with one thread, whose pool is the only one.
fn one_thread(web: SocketAddr, servers: &[SocketAddr], more: &str) -> Yaml {
    front(web, servers, more).with("threads: 2", "threads: 1")
}

fn connections(floodwall: &Floodwall<'_>) -> Value {
    upstream(floodwall)["connections"].clone()
}

/// So many requests at one time, which all are answered.
fn at_once(web: SocketAddr, count: usize, target: &str) {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..count)
            .map(|_| scope.spawn(move || Client::of(web).get(target).status))
            .collect();
        for client in clients {
            assert_eq!(client.join().ok(), Some(200));
        }
    });
}

#[test]
fn connections_are_reused_and_counted() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&one_thread(web, &[origin.address()], ""));
    assert_eq!(statuses(web, 5, "/"), [200; 5]);
    assert_eq!(origin.connections(), 1);
    eventually!(connections(&floodwall)["idle"] == 1);
    let now = connections(&floodwall);
    assert_eq!(
        (&now["opened"], &now["reused"], &now["open"]),
        (&1.into(), &4.into(), &1.into())
    );
    let status = floodwall.ask(&["status"]).stdout;
    assert!(status.contains("1 (1 idle)"), "{status}");
    // One that the server closes is none any more.
    drop(origin);
    eventually!(connections(&floodwall)["open"] == 0);
    assert_eq!(connections(&floodwall)["idle"], 0);
}

#[test]
fn a_pool_keeps_no_more_than_it_may() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = one_thread(web, &[origin.address()], "pool: { max_idle: 2 }");
    let floodwall = Floodwall::start(&yaml);
    at_once(web, 8, "/slow/300");
    assert_eq!(origin.connections(), 8);
    eventually!(connections(&floodwall)["open"] == 2);
    assert_eq!(connections(&floodwall)["idle"], 2);
    // A reload to none at all, and each request has a connection of its own.
    floodwall.write(&yaml.with("max_idle: 2", "max_idle: 0"));
    assert_eq!(floodwall.reload().code, Some(0));
    at_once(web, 8, "/slow/300");
    eventually!(connections(&floodwall)["open"] == 0);
    let before = origin.connections();
    assert_eq!(statuses(web, 3, "/"), [200; 3]);
    assert_eq!(origin.connections(), before + 3);
}

#[test]
fn a_connection_ends_after_so_many_requests() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = one_thread(web, &[origin.address()], "pool: { max_requests: 3 }");
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(statuses(web, 9, "/"), [200; 9]);
    assert_eq!(origin.connections(), 3);
    eventually!(connections(&floodwall)["open"] == 0);
}

#[test]
fn a_connection_gets_only_so_old() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = one_thread(web, &[origin.address()], "pool: { max_age: 200ms }");
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(statuses(web, 1, "/slow/250"), [200]);
    // It was old when its request was over.
    eventually!(connections(&floodwall)["open"] == 0);
    let begun = Instant::now();
    assert_eq!(statuses(web, 1, "/"), [200]);
    wait::for_the_clock(begun + Duration::from_millis(250));
    assert_eq!(statuses(web, 2, "/"), [200; 2]);
    assert_eq!(origin.connections(), 3);
    eventually!(connections(&floodwall)["idle"] == 1);
}

#[test]
fn a_reload_closes_what_leads_to_servers_that_left() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    let yaml = one_thread(web, &[origin.address()], "");
    let floodwall = Floodwall::start(&yaml);
    at_once(web, 3, "/slow/300");
    eventually!(connections(&floodwall)["idle"] == 3);
    let answer = thread::scope(|scope| {
        let busy = scope.spawn(|| Client::of(web).get("/slow/1000"));
        eventually!(origin.count() == 4);
        let to = [(origin.address(), other.address())];
        let next = to
            .iter()
            .fold(yaml, |yaml, (from, to)| yaml.with(&from.to_string(), to));
        floodwall.write(&next);
        assert_eq!(floodwall.reload().code, Some(0));
        // Whatever is idle goes at once, and what is in use when its request is over.
        eventually!(connections(&floodwall)["open"] == 1);
        assert_eq!(connections(&floodwall)["idle"], 0);
        busy.join()
    });
    assert_eq!(answer.map(|answer| answer.status).ok(), Some(200));
    eventually!(connections(&floodwall)["open"] == 0);
    assert_eq!(statuses(web, 1, "/"), [200]);
    assert_eq!(other.count(), 1);
}

#[test]
fn a_reload_that_changes_nothing_of_a_server_keeps_its_connections() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = one_thread(web, &[origin.address()], "");
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(statuses(web, 1, "/"), [200]);
    floodwall.write(&yaml.with("name: all,", "name: all, timeout: 10s,"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(statuses(web, 3, "/"), [200; 3]);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_unhealthy_server_is_left_at_once() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    let checks = "health: { path: /healthz, interval: 100ms, healthy: 1, unhealthy: 1 }";
    let yaml = one_thread(web, &[origin.address(), other.address()], checks);
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(statuses(web, 2, "/"), [200; 2]);
    eventually!(connections(&floodwall)["idle"] == 2);
    origin.be(Mood::Status(500));
    eventually!(connections(&floodwall)["open"] == 1);
    assert_eq!(statuses(web, 4, "/"), [200; 4]);
    assert_eq!(connections(&floodwall)["opened"], 2);
}

/// Who may have no connection of another's: clients of whom servers are told.
#[test]
fn upstreams_with_the_same_server_have_connections_of_their_own() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = one_thread(web, &[origin.address()], "").with(
        "routes:\n",
        format!(
            "  other: {{ servers: [{}] }}\nroutes:\n  - {{ name: other, match: {{ path: /other }}, upstream: other }}\n",
            origin.address()
        ),
    );
    let floodwall = Floodwall::start(&yaml);
    let mut client = Client::of(web)
        .connect()
        .unwrap_or_else(|error| panic!("{error}"));
    for target in ["/", "/other", "/", "/other"] {
        let answer = client.send(&Request::get(target));
        assert_eq!(answer.map(|answer| answer.status).ok(), Some(200));
    }
    assert_eq!(origin.connections(), 2);
    let status = floodwall.status();
    for upstream in [0, 1] {
        assert_eq!(status["upstreams"][upstream]["connections"]["opened"], 1);
    }
}
