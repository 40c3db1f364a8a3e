//! Shapes that stand beside each other on one route: none holds what another refuses, and each comes in its turn.

use std::{thread, time::Instant};

use floodwall_tests::{Client, Connection, Floodwall, Loopback, Origin, Request, eventually};
use serde_json::Value;

use crate::{limited, shapes::proxied, statuses};

fn explain(floodwall: &Floodwall<'_>, user: &str, path: &str) -> Vec<Value> {
    let header = format!("user:{user}");
    let explained = floodwall.json(&["explain", "--json", "--header", &header, path]);
    explained["limits"].as_array().expect("a list").clone()
}

/// Sends a request and does not read its answer.
fn hold(client: Client, path: &str, user: &str) -> Connection {
    let mut connection = client.connect().expect("the proxy accepts");
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nUser: {user}\r\n\r\n");
    connection
        .write(head.as_bytes())
        .expect("the request goes out");
    connection
}

fn gauges(floodwall: &Floodwall<'_>) -> Vec<u64> {
    let status = floodwall.status();
    let limits = status["limits"].as_array().expect("a list").iter();
    let of = |limit: &Value| ["waiting", "in_flight"].map(|name| limit[name].as_u64().unwrap_or(9));
    limits.flat_map(of).collect()
}

#[test]
fn a_turn_a_slot_and_the_load_of_others_on_one_route() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limits = "paced: { key: none, rate: 20/s, queue: { max_wait: 30s } }
  slots: { key: header(user), concurrency: 1, queue: { max_wait: 30s, max_waiting: 5 }, exceptions: { \"vip*\": 3 } }
  batch: { key: none, rate: 3/d, burst: 3, related: { route: other } }";
    let yaml = proxied(web, &origin, limits, "paced, slots, batch");
    let floodwall = Floodwall::start(&yaml);
    let client = Client::of(web);
    // One slot: each waits for its turn at the rate first, and then for whoever is before it.
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let request = Request::get("/slow/150").header("user", "ann");
                assert_eq!(client.send(&request).status, 200);
            });
        }
    });
    assert!(begun.elapsed().as_millis() >= 600, "{:?}", begun.elapsed());
    eventually!(gauges(&floodwall) == [0; 6]);
    // An exception has three, and nobody of them waits for ann.
    let held = [(); 3].map(|()| hold(client, "/slow/60000", "vip-1"));
    eventually!(explain(&floodwall, "vip-1", "/")[1]["remaining"] == 0);
    assert_eq!(explain(&floodwall, "vip-1", "/")[1]["would"], "wait");
    assert_eq!(explain(&floodwall, "ann", "/")[1]["remaining"], 1);
    let waiting = hold(client, "/", "vip-1");
    eventually!(gauges(&floodwall) == [0, 0, 1, 3, 0, 0]);
    drop((held, waiting));
    eventually!(gauges(&floodwall) == [0; 6]);
    // What the last limit refuses, the others have not kept: neither a turn nor a slot.
    assert_eq!(statuses(client, &Request::get("/other"), 4), [200; 4]);
    eventually!(explain(&floodwall, "ann", "/")[0]["remaining"] == 1);
    let ann = Request::get("/").header("user", "ann");
    assert_eq!(statuses(client, &ann, 30), [429; 30]);
    let left = explain(&floodwall, "ann", "/");
    let would: Vec<_> = left.iter().map(|limit| limit["would"].clone()).collect();
    assert_eq!(would, ["admit", "admit", "refuse"], "{left:?}");
    assert_eq!(gauges(&floodwall), [0; 6]);
    let refused = [0, 1, 2].map(|at| floodwall.status()["limits"][at]["refused"].clone());
    assert_eq!(refused, [0, 0, 30]);
}

/// When each of some requests was answered, in the order in which they came into the line.
fn answered_in_turn(floodwall: &Floodwall<'_>, client: Client, path: &str) -> Vec<Instant> {
    let first = hold(client, path, "ann");
    eventually!(floodwall.status()["requests"]["in_flight"] == 1);
    let mut line = vec![first];
    for waiting in 1..=4 {
        line.push(hold(client, path, "ann"));
        eventually!(floodwall.status()["limits"][0]["waiting"] == waiting);
    }
    let threads: Vec<_> = line
        .into_iter()
        .map(|mut connection| {
            thread::spawn(move || {
                assert_eq!(connection.response().expect("an answer").status, 200);
                Instant::now()
            })
        })
        .collect();
    let answers = threads.into_iter().map(thread::JoinHandle::join);
    answers.map(|at| at.expect("an answer")).collect()
}

#[test]
fn who_came_first_is_served_first_at_a_rate_and_for_a_slot() {
    for (limit, path) in [
        (
            "key: none, rate: 1/2s, queue: { max_wait: 1m }",
            "/slow/2000",
        ),
        (
            "key: none, concurrency: 1, queue: { max_wait: 1m }",
            "/slow/1500",
        ),
        (
            "key: header(user), concurrency: 1, queue: { max_wait: 1m }",
            "/slow/1500",
        ),
    ] {
        let (web, origin) = (Loopback::free(), Origin::start());
        let yaml = proxied(web, &origin, &format!("one: {{ {limit} }}"), "one");
        let floodwall = Floodwall::start(&yaml);
        let answers = answered_in_turn(&floodwall, Client::of(web), path);
        assert!(answers.is_sorted(), "{limit}: {answers:?}");
    }
}

#[test]
fn the_nameless_of_one_client_share_a_budget_and_those_of_another_have_theirs() {
    let (web, proxy) = (Loopback::free(), Loopback::claim().ip());
    let yaml = limited(web, "key: [client, header(user), query(page)]")
        .and(&format!("clients: {{ trusted_proxies: [{proxy}] }}\n"));
    let _floodwall = Floodwall::start(&yaml);
    let of = |address: &str, request: Request, times| {
        let request = request.header("X-Forwarded-For", address);
        statuses(Client::of(web).from(proxy), &request, times)
    };
    assert_eq!(of("192.0.2.1", Request::get("/"), 3), [200, 200, 429]);
    // One part more is another key, whichever it is.
    let ann = || Request::get("/").header("user", "ann");
    assert_eq!(of("192.0.2.1", ann(), 3), [200, 200, 429]);
    assert_eq!(
        of("192.0.2.1", Request::get("/?page=1"), 3),
        [200, 200, 429]
    );
    assert_eq!(of("192.0.2.1", Request::get("/?page="), 3), [200, 200, 429]);
    assert_eq!(of("192.0.2.2", Request::get("/"), 3), [200, 200, 429]);
}

#[test]
fn clients_are_counted_by_the_prefixes_of_the_file_and_excepted_by_their_addresses() {
    let (web, proxy) = (Loopback::free(), Loopback::claim().ip());
    let exceptions = "{ \"2001:db8:0:aa01::7\": unlimited, \"2001:db8:0:bb00::/56\": 1/d }";
    let yaml = limited(web, &format!("key: client, exceptions: {exceptions}")).and(&format!(
        "clients: {{ trusted_proxies: [{proxy}], ipv4_prefix: 24, ipv6_prefix: 56 }}\n"
    ));
    let floodwall = Floodwall::start(&yaml);
    let of = |address: &str| {
        let request = Request::get("/").header("X-Forwarded-For", address);
        Client::of(web).from(proxy).send(&request).status
    };
    let one_56 = [
        "2001:db8:0:aa00::1",
        "2001:db8:0:aaff::1",
        "2001:db8:0:aa01::8",
    ];
    assert_eq!(one_56.map(of), [200, 200, 429]);
    assert_eq!([(); 5].map(|()| of("2001:db8:0:aa01::7")), [200; 5]);
    assert_eq!(
        ["2001:db8:0:bb01::1", "2001:db8:0:bb02::1"].map(of),
        [200, 429]
    );
    assert_eq!(of("2001:db8:0:ab00::1"), 200);
    let one_24 = ["192.0.2.1", "192.0.2.254", "::ffff:192.0.2.9"];
    assert_eq!(one_24.map(of), [200, 200, 429]);
    assert_eq!(of("192.0.3.1"), 200);
    let hottest = &floodwall.status()["limits"][0]["hottest"];
    let words: Vec<_> = (0..2).map(|at| hottest[at]["key"].clone()).collect();
    assert_eq!(
        words,
        ["client=192.0.2.0/24", "client=2001:db8:0:aa00::/56"],
        "{hottest}"
    );
}
