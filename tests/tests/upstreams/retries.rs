//! What is tried again, and what never is.

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Request, eventually};

use crate::{front, upstream};

#[test]
fn a_status_is_tried_again_and_the_last_answer_is_passed_on() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(503));
    let yaml = front(
        web,
        &[origin.address(), other.address()],
        "retries: { attempts: 2, on: [connect, 502, 503] }",
    );
    let floodwall = Floodwall::start(&yaml);
    for _ in 0..6 {
        assert_eq!(Client::of(web).get("/").status, 200);
    }
    assert_eq!(other.count(), 6);
    let retries = upstream(&floodwall)["retries"].clone();
    assert_eq!(retries, origin.count());
    assert_ne!(origin.count(), 0);
    // A status that is not named is the answer.
    origin.be(Mood::Status(500));
    other.be(Mood::Status(500));
    assert_eq!(Client::of(web).get("/").status, 500);
    // When all tries fail, the client gets what the last of them said.
    origin.be(Mood::Status(503));
    other.be(Mood::Status(503));
    let (before, response) = (origin.count() + other.count(), Client::of(web).get("/"));
    assert_eq!(
        (response.status, response.header("x-origin")),
        (503, Some("yes"))
    );
    assert_eq!(origin.count() + other.count(), before + 3);
}

#[test]
fn a_body_is_sent_again_whole_or_not_at_all() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(503));
    other.be(Mood::Status(503));
    let yaml = front(
        web,
        &[origin.address(), other.address()],
        "retries: { attempts: 1, on: [503] }",
    );
    let _floodwall = Floodwall::start(&yaml);
    let put = |body: &str| {
        let before = origin.count() + other.count();
        let response = Client::of(web).send(&Request::new("PUT", "/").body(body));
        assert_eq!(response.status, 503);
        origin.count() + other.count() - before
    };
    let small = "0123456789".repeat(1_000);
    assert_eq!(put(&small), 2);
    assert!(origin.last().body == small && other.last().body == small);
    assert_eq!(put(&"0123456789".repeat(20_000)), 1, "it was not kept");
}

#[test]
fn what_was_sent_is_not_sent_again_unless_its_method_allows_it() {
    let (web, origin) = (Loopback::free(), Origin::start());
    // First, while no connection is kept: one that the origin closes meanwhile is replaced without a word.
    origin.be(Mood::HangUp);
    let yaml = front(
        web,
        &[origin.address()],
        "retries: { attempts: 1, on: [503, reset] }",
    );
    let floodwall = Floodwall::start(&yaml);
    let asked = |method: &str| {
        let before = origin.count();
        Client::of(web).send(&Request::new(method, "/").body("once"));
        origin.count() - before
    };
    assert_eq!([asked("DELETE"), asked("POST")], [2, 1]);
    origin.be(Mood::Status(503));
    assert_eq!([asked("PUT"), asked("POST")], [2, 1]);
    floodwall.write(&yaml.with("[503, reset]", "[503, reset], methods: any"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(asked("POST"), 2);
}

#[test]
fn a_slow_answer_is_tried_again_within_the_whole_time() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(
        web,
        &[origin.address()],
        "retries: { attempts: 5, on: [timeout] }
    timeouts: { read: 300ms, total: 800ms }",
    );
    let _floodwall = Floodwall::start(&yaml);
    assert_eq!(Client::of(web).get("/slow/3000").status, 504);
    // 300 ms, 300 ms, and what was left; not six times 300 ms.
    assert_eq!(origin.count(), 3);
}

#[test]
fn nothing_is_tried_again_after_the_first_byte() {
    let (web, origin) = (Loopback::free(), Origin::start());
    origin.be(Mood::BreakOff);
    let yaml = front(
        web,
        &[origin.address()],
        "retries: { attempts: 3, on: [reset, timeout, 5xx] }",
    );
    let floodwall = Floodwall::start(&yaml);
    let got = Client::of(web)
        .exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let got = String::from_utf8(got).unwrap();
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("xxx"));
    assert_eq!(got.matches("HTTP/1.1").count(), 1);
    assert_eq!(origin.count(), 1);
    eventually!(upstream(&floodwall)["errors"] == 1);
}

#[test]
fn a_budget_bounds_what_is_sent_again() {
    let (web, origin) = (Loopback::free(), Origin::start());
    origin.be(Mood::Status(503));
    let yaml = front(
        web,
        &[origin.address()],
        "retries: { attempts: 3, on: [503], budget: { share: 20%, min_per_second: 0 } }",
    );
    let floodwall = Floodwall::start(&yaml);
    for _ in 0..20 {
        assert_eq!(Client::of(web).get("/").status, 503);
    }
    // A fifth of twenty, all within the ten seconds that count.
    assert_eq!(origin.count(), 24);
    let upstream = upstream(&floodwall);
    assert_eq!(upstream["retries"], 4);
    assert_ne!(upstream["retries_over_budget"], 0);
}
