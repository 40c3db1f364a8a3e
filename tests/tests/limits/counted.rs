//! What `GET /limits` says of each limit is what happened.

use std::{collections::BTreeMap, net::SocketAddr};

use floodwall_tests::{Client, Connection, Floodwall, Loopback, Origin, Request, eventually};
use serde_json::Value;

use crate::{shapes::proxied, statuses};

/// What `GET /limits` says of a limit.
fn limit(admin: SocketAddr, name: &str) -> Value {
    let page = Client::of(admin).get("/limits");
    let limits: Vec<Value> = serde_json::from_str(&page.body).expect("a list of limits");
    let mut limits = limits.into_iter();
    limits
        .find(|limit| limit["name"] == name)
        .expect("the limit is in the file")
}

/// Admitted, refused, shadowed, unenforced.
fn verdicts(admin: SocketAddr, name: &str) -> [u64; 4] {
    let limit = limit(admin, name);
    ["admitted", "refused", "shadowed", "unenforced"]
        .map(|verdict| limit[verdict].as_u64().expect("a count"))
}

fn hold(web: SocketAddr, path: &str) -> Connection {
    let mut connection = Client::of(web).connect().expect("the proxy accepts");
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    connection
        .write(head.as_bytes())
        .expect("the request goes out");
    connection
}

#[test]
fn each_shape_counts_what_it_did() {
    let (web, admin, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let limits = "rate: { key: header(user), match: { path: /rate }, rate: 2/d, burst: 2 }
  ghost: { key: none, match: { path: /ghost }, rate: 2/d, burst: 2, shadow: true }
  nobody: { key: header(user), match: { path: /nobody }, rate: 2/d, burst: 2, enforce: 0% }
  line: { key: none, match: { path: /line }, rate: 1/h, burst: 1, queue: { max_wait: 3h } }
  slots: { key: header(user), match: { path_prefix: /slow }, concurrency: 2, queue: { max_wait: 1h, max_waiting: 1 } }
  bad: { key: none, match: { path_prefix: /status }, rate: 1/d, burst: 1, count: { responses: { status: [404] } } }
  watch: { key: none, match: { path: /watch }, rate: 1/d, burst: 1, related: { limit: rate } }";
    let names = "rate, ghost, nobody, line, slots, bad, watch";
    let yaml = proxied(web, &origin, limits, names).and(&format!(
        "admin: {{ address: {admin}, socket: floodwall.sock }}\n"
    ));
    let _floodwall = Floodwall::start(&yaml);
    let send = |path: &str, times| {
        let request = Request::get(path).header("user", "ann");
        statuses(Client::of(web), &request, times)
    };
    assert_eq!(send("/watch", 1), [200]);
    assert_eq!(send("/rate", 5), [200, 200, 429, 429, 429]);
    assert_eq!(send("/ghost", 5), [200; 5]);
    assert_eq!(send("/nobody", 5), [200; 5]);
    assert_eq!(send("/status/404", 3), [404, 429, 429]);
    assert_eq!(send("/watch", 2), [429; 2]);
    assert_eq!(verdicts(admin, "rate"), [2, 3, 0, 0]);
    assert_eq!(verdicts(admin, "ghost"), [2, 0, 3, 0]);
    assert_eq!(verdicts(admin, "nobody"), [2, 0, 0, 3]);
    assert_eq!(verdicts(admin, "bad"), [1, 2, 0, 0]);
    assert_eq!(verdicts(admin, "watch"), [1, 2, 0, 0]);
    let hot = &limit(admin, "rate")["hottest"][0];
    assert_eq!(hot["key"], "header(user)=ann");
    assert_eq!([&hot["requests"], &hot["refused"]], [5, 3]);
    let hot = &limit(admin, "ghost")["hottest"][0];
    assert_eq!(hot["key"], "none");
    assert_eq!(hot["requests"], 5);

    assert_eq!(send("/line", 1), [200]);
    let waiting = [hold(web, "/line"), hold(web, "/line")];
    eventually!(limit(admin, "line")["waiting"] == 2);
    assert_eq!(verdicts(admin, "line"), [1, 0, 0, 0]);
    drop(waiting);
    eventually!(limit(admin, "line")["waiting"] == 0);
    assert_eq!(verdicts(admin, "line"), [1, 0, 0, 0]);

    let held = [(); 3].map(|()| hold(web, "/slow/60000"));
    eventually!(limit(admin, "slots")["waiting"] == 1);
    assert_eq!(limit(admin, "slots")["in_flight"], 2);
    assert_eq!(
        statuses(Client::of(web), &Request::get("/slow/0"), 1),
        [429]
    );
    assert_eq!(
        send("/slow/0", 2),
        [200; 2],
        "another key has slots of its own"
    );
    assert_eq!(verdicts(admin, "slots"), [4, 1, 0, 0]);
    drop(held);
    eventually!(limit(admin, "slots")["in_flight"] == 0);
    assert_eq!(limit(admin, "slots")["waiting"], 0);
}

/// What is left of each key that was asked for, by its name.
fn left(admin: SocketAddr, name: &str) -> BTreeMap<String, Option<u64>> {
    let limit = limit(admin, name);
    let hottest = limit["hottest"].as_array().expect("a list").iter();
    let of = |hot: &Value| hot["key"].as_str().expect("a key").to_owned();
    hottest.map(|hot| (of(hot), hot["left"].as_u64())).collect()
}

#[test]
fn each_key_shows_what_is_left_of_its_own_rule() {
    let (web, admin, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let limits = "rate: { key: header(user), match: { path: /rate }, rate: 2/d, burst: 2, exceptions: { bob: { rate: 9/d, burst: 9 }, \"vip*\": { rate: 30/d, burst: 10 } } }
  slots: { key: header(user), match: { path_prefix: /slow }, concurrency: 2, exceptions: { \"vip*\": 5 } }
  bytes: { key: header(user), match: { path: /bytes }, count: bytes_out, rate: 10B/d, burst: 100B, exceptions: { bob: { rate: 10B/d, burst: 1KiB } } }";
    let yaml = proxied(web, &origin, limits, "rate, slots, bytes").and(&format!(
        "admin: {{ address: {admin}, socket: floodwall.sock }}\n"
    ));
    let floodwall = Floodwall::start(&yaml);
    for (user, times) in [("ann", 1), ("bob", 4), ("vip-1", 10)] {
        let request = Request::get("/rate").header("user", user);
        assert_eq!(statuses(Client::of(web), &request, times), vec![200; times]);
    }
    let held = ["ann", "vip-1", "vip-1"].map(|user| {
        let mut connection = Client::of(web).connect().expect("the proxy accepts");
        let head = format!("GET /slow/60000 HTTP/1.1\r\nHost: a\r\nUser: {user}\r\n\r\n");
        connection
            .write(head.as_bytes())
            .expect("the request goes out");
        connection
    });
    // Whoever looks at the keys may meet a request that is counted, which is left out then.
    eventually!(origin.count() == 15 + held.len());
    // The origin answers with "origin: /bytes" and a line's end.
    for user in ["ann", "bob"] {
        let request = Request::get("/bytes").header("user", user);
        assert_eq!(statuses(Client::of(web), &request, 1), [200]);
    }
    let of = |name| left(admin, name).into_iter().collect::<Vec<_>>();
    let user = |name: &str, left| (format!("header(user)={name}"), Some(left));
    assert_eq!(
        of("rate"),
        [user("ann", 1), user("bob", 5), user("vip-1", 0)]
    );
    eventually!(of("slots") == [user("ann", 1), user("vip-1", 3)]);
    eventually!(of("bytes") == [user("ann", 85), user("bob", 1024 - 15)]);
    drop(held);
    eventually!(of("slots") == [user("ann", 2), user("vip-1", 5)]);
    // Nobody knows what a key may whose exception is gone, until it comes again.
    floodwall.write(&yaml.with("bob: { rate: 9/d, burst: 9 }, ", ""));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(left(admin, "rate")["header(user)=bob"], None);
    let bob = Request::get("/rate").header("user", "bob");
    assert_eq!(Client::of(web).send(&bob).status, 200);
    assert_eq!(left(admin, "rate")["header(user)=bob"], Some(0));
    assert_eq!(left(admin, "rate")["header(user)=ann"], Some(1));
}

/// Three thousand keys of a limit of this shape come into a table of 1,024 cells; answers with what is said of it.
fn crowded(shape: &str) -> Value {
    let (web, admin, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let limit_of_all = format!("all: {{ key: header(user), rate: 2/d, burst: 2, {shape} }}");
    let yaml = proxied(web, &origin, &limit_of_all, "all")
        .and(&format!(
            "admin: {{ address: {admin}, socket: floodwall.sock }}\n"
        ))
        .and("prefilter: { interfaces: [lo], mode: \"off\", table: { sources: 1024 } }\n");
    let _floodwall = Floodwall::start(&yaml);
    let mut connection = Client::of(web).connect().expect("the proxy accepts");
    for user in 0..3_000 {
        let request = Request::get("/").header("user", user.to_string());
        assert_eq!(connection.send(&request).expect("an answer").status, 200);
    }
    limit(admin, "all")
}

#[test]
fn keys_that_find_no_room_take_the_cells_of_others_and_that_is_counted() {
    for shape in [
        "shadow: false",
        "count: { responses: { status: [200] } }",
        "cost: { response_header: x-cost }",
    ] {
        // Each is in debt for a day: who comes after the table is full takes somebody's cell, and is let in all the same.
        let limit = crowded(shape);
        let takeovers = limit["takeovers"].as_u64().expect("a count");
        assert!((1_976..3_000).contains(&takeovers), "{shape}: {limit}");
        assert_eq!(limit["admitted"], 3_000, "{shape}");
    }
}
