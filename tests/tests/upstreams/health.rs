//! Checks of servers: who fails them is asked no more, and comes back.

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, eventually};
use serde_json::Value;

use crate::{front, statuses, upstream};

const CHECKS: &str =
    "health: { path: /healthz, interval: 100ms, timeout: 1s, healthy: 2, unhealthy: 2 }";

/// Requests of clients, without those of the checks.
fn asked(origin: &Origin) -> usize {
    origin
        .seen()
        .iter()
        .filter(|seen| seen.target != "/healthz")
        .count()
}

fn is_healthy(floodwall: &Floodwall<'_>, server: usize) -> Value {
    upstream(floodwall)["servers"][server]["health"]["healthy"].clone()
}

#[test]
fn a_server_that_fails_its_checks_is_asked_no_more_and_comes_back() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(500));
    let floodwall = Floodwall::start(&front(web, &[origin.address(), other.address()], CHECKS));
    eventually!(is_healthy(&floodwall, 0) == false);
    assert_eq!(is_healthy(&floodwall, 1), true);
    let before = asked(&origin);
    assert_eq!(statuses(web, 10, "/"), [200; 10]);
    assert_eq!((asked(&origin), asked(&other) >= 10), (before, true));
    let server = &upstream(&floodwall)["servers"][0];
    assert_eq!(
        server["last_error"]["what"],
        "the answer to the check was 500"
    );
    assert!(server["health"]["since_seconds"].is_number(), "{server}");
    let explained = floodwall.ask(&["explain", "/"]).stdout;
    let passed_over = format!("not to {}: its checks fail", origin.address());
    assert!(explained.contains(&passed_over), "{explained}");
    origin.be(Mood::Well);
    eventually!(is_healthy(&floodwall, 0) == true);
    assert_eq!(statuses(web, 10, "/"), [200; 10]);
    assert_eq!(asked(&origin), before + 5);
    let log = floodwall.log();
    let unhealthy = format!("{} of upstream app is unhealthy", origin.address());
    assert_eq!(
        log.matches(&unhealthy).count(),
        1,
        "once, not for every check"
    );
    assert!(log.contains(&format!(
        "{} of upstream app is well again",
        origin.address()
    )));
}

#[test]
fn a_server_that_nobody_listens_for_fails_checks_of_the_connection() {
    let (web, origin, nobody) = (Loopback::free(), Origin::start(), Loopback::free());
    let checks = "health: { tcp: true, interval: 100ms, unhealthy: 1 }";
    let floodwall = Floodwall::start(&front(web, &[nobody, origin.address()], checks));
    eventually!(is_healthy(&floodwall, 0) == false);
    let before = upstream(&floodwall)["connect_failures"].clone();
    assert_eq!(statuses(web, 10, "/"), [200; 10]);
    assert_eq!(upstream(&floodwall)["connect_failures"], before);
}

#[test]
fn when_none_is_well_all_are_asked() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    let checks = "health: { path: /status/404, interval: 100ms, unhealthy: 1 }";
    let floodwall = Floodwall::start(&front(web, &[origin.address(), other.address()], checks));
    eventually!(is_healthy(&floodwall, 0) == false && is_healthy(&floodwall, 1) == false);
    assert_eq!(statuses(web, 10, "/"), [200; 10]);
}

#[test]
fn what_checks_found_outlives_a_reload() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(500));
    let yaml = front(web, &[origin.address(), other.address()], CHECKS);
    let floodwall = Floodwall::start(&yaml);
    eventually!(is_healthy(&floodwall, 0) == false);
    floodwall.write(&yaml.with("unhealthy: 2", "unhealthy: 100"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(is_healthy(&floodwall, 0), false);
    assert_eq!(statuses(web, 4, "/"), [200; 4]);
}

#[test]
fn a_server_that_comes_back_starts_slowly() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(500));
    let more = format!("{CHECKS}\n    slow_start: 1h");
    let floodwall = Floodwall::start(&front(web, &[origin.address(), other.address()], &more));
    eventually!(is_healthy(&floodwall, 0) == false);
    origin.be(Mood::Well);
    eventually!(is_healthy(&floodwall, 0) == true);
    let before = asked(&origin);
    assert_eq!(statuses(web, 100, "/"), [200; 100]);
    // A tenth of its turns, which are half of them at the most.
    let got = asked(&origin) - before;
    assert!(got < 30, "{got} of 100");
    assert_eq!(upstream(&floodwall)["servers"][0]["share"], 0.1);
    assert_eq!(Client::of(web).get("/").status, 200);
}
