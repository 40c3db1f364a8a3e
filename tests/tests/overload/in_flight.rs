//! Requests in flight: exact, and the least important first.

use std::net::SocketAddr;

use floodwall_tests::{Client, Connection, Floodwall, Loopback, Origin, Request, eventually};
use serde_json::Value;

use crate::{each_priority, measure, protected, shed};

/// Sends a request that the origin answers late, and does not read the answer.
fn hold(web: SocketAddr, priority: &str) -> Connection {
    let mut connection = Client::of(web).connect().expect("the proxy accepts");
    let head = format!("GET /slow/60000 HTTP/1.1\r\nHost: a\r\nPriority: {priority}\r\n\r\n");
    connection
        .write(head.as_bytes())
        .expect("the request goes out");
    connection
}

fn in_flight(floodwall: &Floodwall<'_>) -> u64 {
    let status = floodwall.status();
    status["protection"]["in_flight"]
        .as_u64()
        .expect("a number")
}

#[test]
fn above_the_trigger_the_least_important_is_shed_first_and_the_critical_never() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = protected(web, origin.address(), "in_flight: { trigger: 5 }");
    let floodwall = Floodwall::start(&yaml);
    let mut held: Vec<Connection> = Vec::new();
    let mut seen = Vec::new();
    for others in 0..=6 {
        eventually!(in_flight(&floodwall) == others);
        seen.push(each_priority(web));
        // A client has its answer a little before its request is over.
        eventually!(in_flight(&floodwall) == others);
        if others < 6 {
            // The fifth normal one is the last; who comes then must be important.
            held.push(hold(web, if others < 5 { "normal" } else { "high" }));
        }
    }
    assert_eq!(
        seen,
        [
            [200, 200, 200, 200],
            [200, 200, 200, 200],
            [200, 200, 200, 200],
            [200, 200, 200, 200],
            [503, 200, 200, 200],
            [503, 503, 200, 200],
            [503, 503, 503, 200],
        ]
    );
    assert_eq!(shed(&floodwall, "in_flight"), [3, 2, 1, 0]);
    // Whoever goes away is in flight no more, though the origin still sleeps.
    drop(held);
    eventually!(in_flight(&floodwall) == 0);
    assert_eq!(each_priority(web), [200; 4]);
}

#[test]
fn a_client_is_told_when_to_come_back_and_the_log_says_why() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = protected(web, origin.address(), "in_flight: { trigger: 0 }");
    let floodwall = Floodwall::start(&yaml);
    let mut connection = Client::of(web).connect().expect("the proxy accepts");
    let text = connection.get("/shed").expect("an answer");
    assert_eq!((text.status, text.header("retry-after")), (503, Some("1")));
    assert_eq!(
        text.body,
        "too much to do at the moment (in_flight); come back in 1 second\n"
    );
    let wants_json = Request::get("/").header("accept", "application/json");
    let json = connection
        .send(&wants_json)
        .expect("the connection is kept");
    let body: Value = serde_json::from_str(&json.body).expect("JSON, as asked for");
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(body["protection"], "in_flight");
    let line = floodwall.logged(|line| line["path"] == "/shed");
    assert_eq!(
        [
            &line["verdict"],
            &line["shed_by"],
            &line["route"],
            &line["upstream"]
        ],
        [
            &"shed".into(),
            &"in_flight".into(),
            &"normal".into(),
            &Value::Null
        ]
    );
    // Nobody was asked and nothing was charged.
    assert_eq!(origin.count(), 0);
    let limits = &floodwall.status()["limits"];
    assert_eq!([&limits[1]["admitted"], &limits[1]["refused"]], [0, 0]);
}

#[test]
fn the_answer_may_look_otherwise() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let reject =
        "reject: { status: 500, headers: { retry-after: '30', x-why: busy }, body: later }";
    let protection = format!("in_flight: {{ trigger: 0 }}, {reject}");
    let floodwall = Floodwall::start(&protected(web, origin.address(), &protection));
    let response = Client::of(web).get("/");
    assert_eq!((response.status, response.body.as_str()), (500, "later"));
    assert_eq!(response.header("retry-after"), Some("30"));
    assert_eq!(response.header("x-why"), Some("busy"));
    let explained = floodwall.json(&["explain", "--json", "/"]);
    assert_eq!(explained["protection"]["shed_by"], "in_flight");
    assert_eq!(explained["action"]["respond"]["status"], 500);
}

#[test]
fn clients_that_leave_and_limits_that_refuse_leave_nothing_in_flight() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = protected(web, origin.address(), "in_flight: { trigger: 1000 }");
    let floodwall = Floodwall::start(&yaml);
    for _ in 0..4 {
        let held: Vec<Connection> = (0..50).map(|_| hold(web, "normal")).collect();
        eventually!(in_flight(&floodwall) == 50);
        drop(held);
        eventually!(in_flight(&floodwall) == 0);
    }
    assert!((0..20).all(|_| Client::of(web).get("/closed").status == 429));
    assert_eq!(in_flight(&floodwall), 0);
    assert_eq!(shed(&floodwall, "in_flight"), [0; 4]);
    assert_eq!(measure(&floodwall, "in_flight")["trigger"], 1000.0);
}
