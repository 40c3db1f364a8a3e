//! `explain` foretells what each shape of a limit does, and what is left of it; then it does so.

use std::time::Instant;

use floodwall_tests::{Client, Connection, Floodwall, Loopback, Origin, Request, eventually};
use serde_json::Value;

use crate::{shapes::proxied, statuses};

/// What `explain` says of the first limit.
fn first_limit(floodwall: &Floodwall<'_>, header: &str) -> Value {
    let explained = floodwall.json(&["explain", "--json", "--header", header, "/"]);
    explained["limits"][0].clone()
}

/// A front door under one limit, in the words of the file.
struct Front {
    floodwall: Floodwall<'static>,
    client: Client,
    _origin: Origin,
}

impl Front {
    fn under(limit: &str) -> Self {
        let (web, origin) = (Loopback::free(), Origin::start());
        let yaml = proxied(web, &origin, &format!("one: {{ {limit} }}"), "one");
        Self {
            floodwall: Floodwall::start(&yaml),
            client: Client::of(web),
            _origin: origin,
        }
    }

    /// What would become of a request, and what is left.
    fn would(&self) -> (String, u64) {
        let limit = first_limit(&self.floodwall, "user:ann");
        let would = limit["would"].as_str().expect("a verdict").to_owned();
        (would, limit["remaining"].as_u64().expect("a number"))
    }

    fn get(&self, path: &str) -> u16 {
        let request = Request::get(path).header("user", "ann");
        self.client.send(&request).status
    }

    /// A request that is under way until the connection is dropped.
    fn hold(&self, path: &str) -> Connection {
        let mut connection = self.client.connect().expect("the proxy accepts");
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nUser: ann\r\n\r\n");
        connection
            .write(head.as_bytes())
            .expect("the request goes out");
        connection
    }
}

fn would(verdict: &str, remaining: u64) -> (String, u64) {
    (verdict.to_owned(), remaining)
}

#[test]
fn a_rate_a_share_of_the_keys_and_a_shadow() {
    let rate = "key: header(user), rate: 2/d, burst: 2";
    for (more, at_last) in [
        ("", "refuse"),
        (", shadow: true", "shadow"),
        (", enforce: 0%", "shadow"),
        (", exceptions: { ann: 0/s }", "refuse"),
        (", exceptions: { ann: unlimited }", "skip"),
    ] {
        let front = Front::under(&format!("{rate}{more}"));
        statuses(front.client, &Request::get("/").header("user", "ann"), 2);
        let limit = first_limit(&front.floodwall, "user:ann");
        assert_eq!(limit["would"], at_last, "{more}: {limit}");
        let refused = front.get("/") == 429;
        assert_eq!(refused, at_last == "refuse", "{more}");
    }
}

#[test]
fn warm_up_says_what_is_left_of_a_cold_key() {
    let front = Front::under("key: none, rate: 1/m, burst: 30, warm_up: { period: 10h }");
    // A cold key has a third of the rate, and one request at once.
    assert_eq!(front.would(), would("admit", 1));
    assert_eq!(front.get("/"), 200);
    let limit = first_limit(&front.floodwall, "user:ann");
    assert_eq!(limit["would"], "refuse");
    let after = limit["retry_after_seconds"].as_f64().expect("a time");
    assert!((150.0..=180.0).contains(&after), "{limit}");
    assert_eq!(front.get("/"), 429);
}

#[test]
fn a_queue_says_how_long_and_when_it_is_full() {
    let front =
        Front::under("key: none, rate: 1/m, burst: 1, queue: { max_wait: 1h, max_waiting: 1 }");
    assert_eq!(front.would(), would("admit", 1));
    assert_eq!(front.get("/"), 200);
    let limit = first_limit(&front.floodwall, "user:ann");
    assert_eq!(limit["would"], "wait");
    let wait = limit["wait_seconds"].as_f64().expect("a time");
    assert!((50.0..=60.0).contains(&wait), "{limit}");
    let held = front.hold("/");
    eventually!(front.floodwall.status()["limits"][0]["waiting"] == 1);
    assert_eq!(front.would(), would("refuse", 0));
    assert_eq!(front.get("/"), 429);
    drop(held);
}

#[test]
fn slots_say_how_many_are_left_and_when_one_may_be_free() {
    let front = Front::under("key: none, concurrency: 2, queue: { max_wait: 1h, max_waiting: 1 }");
    assert_eq!(front.would(), would("admit", 2));
    let one = front.hold("/slow/60000");
    eventually!(front.would() == would("admit", 1));
    let two = front.hold("/slow/60000");
    eventually!(front.would() == would("wait", 0));
    let three = front.hold("/slow/60000");
    eventually!(front.would() == would("refuse", 0));
    assert_eq!(front.get("/"), 429);
    drop((one, two, three));
    eventually!(front.would() == would("admit", 2));
}

#[test]
fn what_is_charged_afterwards_is_left_out_until_it_is_known() {
    let responses = "key: none, rate: 1/d, burst: 1, count: { responses: { status: [404] } }";
    let front = Front::under(responses);
    assert_eq!(front.get("/"), 200);
    assert_eq!(front.would(), would("admit", 1));
    assert_eq!(front.get("/status/404"), 404);
    assert_eq!(front.would(), would("refuse", 0));
    assert_eq!(front.get("/"), 429);

    // The origin answers with "origin: /" and a line's end.
    let front = Front::under("key: none, rate: 10B/d, burst: 15B, count: bytes_out");
    assert_eq!(front.would(), would("admit", 15));
    assert_eq!(front.get("/"), 200);
    assert_eq!(front.would(), would("admit", 5));
    assert_eq!(front.get("/"), 200);
    assert_eq!(front.would(), would("refuse", 0));
    assert_eq!(front.get("/"), 429);

    let cost = "key: none, rate: 9/d, burst: 9, cost: { response_header: x-origin-cost }";
    let front = Front::under(cost);
    assert_eq!(front.get("/cost/7"), 200);
    assert_eq!(front.would(), would("admit", 2));
}

#[test]
fn related_load_says_what_the_others_left() {
    let front = Front::under("key: none, rate: 2/d, burst: 2, related: { route: other }");
    assert_eq!(front.get("/"), 200);
    assert_eq!(front.would(), would("admit", 2));
    assert_eq!(front.get("/other"), 200);
    assert_eq!(front.would(), would("admit", 1));
    assert_eq!((front.get("/other"), front.get("/other")), (200, 200));
    assert_eq!(front.would(), would("refuse", 0));
    assert_eq!(front.get("/"), 429);
}

#[test]
fn an_adapted_rate_is_that_of_the_memory_in_use() {
    let adapt = |marks| {
        format!("key: none, rate: 9/d, burst: 9, adapt: {{ memory: {{ {marks}, rate: 3/d }} }}")
    };
    // Whatever runs this uses more than two bytes, and less than a hundred tebibytes.
    let short = Front::under(&adapt("low: 1B, high: 2B"));
    assert_eq!(short.would(), would("admit", 1));
    assert_eq!(statuses(short.client, &Request::get("/"), 2), [200, 429]);
    assert_eq!(short.would(), would("refuse", 0));
    let ample = Front::under(&adapt("low: 100000GiB, high: 200000GiB"));
    assert_eq!(ample.would(), would("admit", 9));
    let all = statuses(ample.client, &Request::get("/"), 10);
    assert_eq!(all, [[200; 9].as_slice(), &[429]].concat());
}

/// Nobody knows when a slot is released, but how long others have held theirs.
#[test]
fn whoever_finds_no_slot_is_told_when_one_may_be_free() {
    let front = Front::under("key: none, concurrency: 1");
    let begun = Instant::now();
    assert_eq!(front.get("/slow/2500"), 200);
    let held = begun.elapsed();
    // A client has its answer a little before its slot is free.
    eventually!(front.would() == would("admit", 1));
    let holder = front.hold("/slow/60000");
    eventually!(front.would() == would("refuse", 0));
    let refused = front.client.get("/");
    // A machine that is busy holds it a little longer.
    let after = refused.header("retry-after").expect("a time");
    let after: u64 = after.parse().expect("seconds");
    assert!(
        (3..=held.as_secs() + 1).contains(&after),
        "{after} of {held:?}"
    );
    drop(holder);
}
