//! The shapes of a limit beside a plain rate, over real HTTP. The exact numbers are in the limiter's own tests.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml, wait};

use crate::{limited, statuses};

/// A file whose limits are `limits`, all on one route to an origin.
pub(crate) fn proxied(web: SocketAddr, origin: &Origin, limits: &str, names: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
limits:
  LIMITS
routes:
  - { name: other, match: { path_prefix: /other }, limits: [], upstream: app }
  - { name: all, match: { path_prefix: / }, limits: [NAMES], upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin.address())
    .with("LIMITS", limits)
    .with("NAMES", names)
}

#[test]
fn a_cold_limit_gives_a_third_of_its_rate_and_warms_up() {
    let web = Loopback::free();
    let yaml = limited(web, "key: none, warm_up: { period: 4s }").with("2/d, burst: 2", "100/s");
    let _floodwall = Floodwall::start(&yaml);
    let mut connection = Client::of(web).connect().expect("a connection");
    let begun = Instant::now();
    let mut admitted = [0; 7];
    while begun.elapsed() < Duration::from_secs(7) {
        let second = usize::try_from(begun.elapsed().as_secs()).expect("a test is short");
        let status = connection.get("/").expect("a response").status;
        admitted[second.min(6)] += usize::from(status == 200);
    }
    // A machine that stands still for a moment admits a little less, and a full burst of debt a little more.
    assert!((20..=50).contains(&admitted[0]), "{admitted:?}");
    assert!((80..=125).contains(&admitted[6]), "{admitted:?}");
    // Idle for the period, it is cold again.
    wait::for_the_clock(Instant::now() + Duration::from_millis(4_500));
    let begun = Instant::now();
    let mut again = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        again += usize::from(connection.get("/").expect("a response").status == 200);
    }
    assert!((20..=50).contains(&again), "{again} of {admitted:?}");
}

#[test]
fn responses_count_once_they_are_known_and_refuse_the_next_request() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limit = "missing: { key: client, count: { responses: { status: [404, 5xx] } }, rate: 3/d, burst: 3 }";
    let floodwall = Floodwall::start(&proxied(web, &origin, limit, "missing"));
    let of = |path, times| statuses(Client::of(web), &Request::get(path), times);
    assert_eq!(of("/", 5), [200; 5]);
    assert_eq!(of("/status/404", 2), [404; 2]);
    assert_eq!(of("/status/403", 2), [403; 2]);
    assert_eq!(of("/status/503", 1), [503]);
    assert_eq!(of("/", 2), [429; 2]);
    assert_eq!(floodwall.status()["limits"][0]["refused"], 2);
}

#[test]
fn an_upstream_that_cannot_be_reached_counts_as_an_error() {
    let (web, nobody) = (Loopback::free(), Loopback::free());
    let origin = Origin::start();
    let limit =
        "errors: { key: none, count: { responses: { errors: true } }, rate: 2/d, burst: 2 }";
    let yaml = proxied(web, &origin, limit, "errors").with(&origin.address().to_string(), nobody);
    let _floodwall = Floodwall::start(&yaml);
    assert_eq!(
        statuses(Client::of(web), &Request::get("/"), 3),
        [502, 502, 429]
    );
}

#[test]
fn bytes_of_bodies_are_charged_as_they_pass() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limits = "in: { key: header(way), match: { headers: { way: in } }, count: bytes_in, rate: 1KiB/h, burst: 1KiB }
  out: { key: header(way), match: { headers: { way: out } }, count: bytes_out, rate: 10B/h, burst: 20B }";
    let _floodwall = Floodwall::start(&proxied(web, &origin, limits, "in, out"));
    let post = |body: usize| {
        Request::new("POST", "/")
            .header("way", "in")
            .body("x".repeat(body))
    };
    let client = Client::of(web);
    assert_eq!(statuses(client, &post(500), 3), [200, 200, 200]);
    assert_eq!(client.send(&post(1)).status, 429);
    // The origin answers with "origin: /" and a line's end: ten bytes, so that two fill it.
    let get = Request::get("/").header("way", "out");
    let first = client.send(&get);
    let policy = first.header("ratelimit-policy").expect("a policy");
    assert!(
        policy.contains("q=20;") && policy.contains("qu=\"content-bytes\""),
        "{policy}"
    );
    assert_eq!(statuses(client, &get, 2), [200, 429]);
}

#[test]
fn the_origin_says_what_a_request_has_cost() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limit =
        "dear: { key: none, rate: 10/d, burst: 10, cost: { response_header: x-origin-cost } }";
    let _floodwall = Floodwall::start(&proxied(web, &origin, limit, "dear"));
    let client = Client::of(web);
    let response = client.get("/cost/4");
    assert_eq!(
        (response.status, response.header("x-origin-cost")),
        (200, None)
    );
    assert_eq!(client.get("/cost/0").status, 200);
    assert_eq!(client.get("/cost/nonsense").status, 200);
    // 4, 0 and 1 of ten are spent; what a request costs is known too late to refuse it.
    assert_eq!(client.get("/cost/9").status, 200);
    assert_eq!(client.get("/").status, 429);
}

#[test]
fn a_cost_that_is_no_number_is_one_and_one_beyond_all_measure_is_a_debt_of_an_hour() {
    for (said, left) in [
        ("-9", 9),
        ("+9", 9),
        ("4.5", 9),
        ("9e9", 9),
        ("NaN", 9),
        ("0009", 1),
    ] {
        assert_eq!(after_cost(said)["remaining"], left, "{said}");
    }
    for said in ["1000001", "99999999999999999999999", "18446744073709551615"] {
        let limit = after_cost(said);
        assert_eq!(
            (&limit["would"], &limit["remaining"]),
            (&"refuse".into(), &0.into())
        );
        // An hour below the burst, and what one request takes.
        let after = limit["retry_after_seconds"].as_f64().expect("a time");
        let most = 3_600.0 * (1.0 + 24.0 / 10.0);
        assert!((most - 60.0..=most).contains(&after), "{said}: {limit}");
    }
}

/// What `explain` says after one request of this cost.
fn after_cost(said: &str) -> serde_json::Value {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limit =
        "dear: { key: none, rate: 10/d, burst: 10, cost: { response_header: x-origin-cost } }";
    let floodwall = Floodwall::start(&proxied(web, &origin, limit, "dear"));
    assert_eq!(Client::of(web).get(&format!("/cost/{said}")).status, 200);
    floodwall.json(&["explain", "--json", "/"])["limits"][0].clone()
}

#[test]
fn what_a_request_has_cost_is_told_to_nobody_whomever_the_limit_concerns() {
    for more in [
        "exceptions: { ann: unlimited }",
        "match: { path: /elsewhere }",
        "exceptions: { ann: { rate: 1/d, burst: 1 } }, shadow: true",
        "enforce: 0%",
    ] {
        let (web, origin) = (Loopback::free(), Origin::start());
        let limit = format!(
            "dear: {{ key: header(user), rate: 2/d, burst: 2, cost: {{ response_header: x-origin-cost }}, {more} }}"
        );
        let _floodwall = Floodwall::start(&proxied(web, &origin, &limit, "dear"));
        for _ in 0..3 {
            let request = Request::get("/cost/5").header("user", "ann");
            let response = Client::of(web).send(&request);
            assert_eq!(response.status, 200, "{more}");
            assert_eq!(response.header("x-origin-cost"), None, "{more}");
        }
    }
}

#[test]
fn a_limit_refuses_while_a_related_route_is_over_its_rate() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limit = "batch: { key: none, rate: 3/d, burst: 3, related: { route: other } }";
    let _floodwall = Floodwall::start(&proxied(web, &origin, limit, "batch"));
    let of = |path, times| statuses(Client::of(web), &Request::get(path), times);
    assert_eq!(of("/", 9), [200; 9], "its own requests are not counted");
    assert_eq!(
        of("/other", 9),
        [200; 9],
        "those of the other route are, but never refused"
    );
    assert_eq!(of("/", 2), [429; 2]);
}

#[test]
fn a_limit_refuses_while_a_related_limit_is_over_its_rate() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limits = "busy: { key: none, match: { path: /busy }, rate: 1000/s }
  batch: { key: none, match: { path: /batch }, rate: 2/d, burst: 2, related: { limit: busy } }";
    let _floodwall = Floodwall::start(&proxied(web, &origin, limits, "busy, batch"));
    let of = |path, times| statuses(Client::of(web), &Request::get(path), times);
    assert_eq!(of("/batch", 3), [200; 3]);
    assert_eq!(of("/busy", 3), [200; 3]);
    assert_eq!(of("/batch", 1), [429]);
}

#[test]
fn a_share_of_the_keys_is_refused_and_the_others_only_counted() {
    let web = Loopback::free();
    let yaml = limited(web, "key: header(user), enforce: 40%");
    let floodwall = Floodwall::start(&yaml);
    let refused = |user: usize| {
        let request = Request::get("/").header("user", user.to_string());
        let responses = [0; 3].map(|_| Client::of(web).send(&request));
        let over = &responses[2];
        let counted = over.header("x-floodwall-shadowed") == Some("\"narrow\"");
        assert!(counted != (over.status == 429), "{over:?}");
        over.status == 429
    };
    let first: Vec<bool> = (0..100).map(refused).collect();
    let share = first.iter().filter(|refused| **refused).count();
    assert!((20..=60).contains(&share), "{share} of 100");
    let limit = &floodwall.status()["limits"][0];
    assert_eq!(
        [&limit["refused"], &limit["unenforced"]],
        [share, 100 - share]
    );
    // A restart and another host refuse the same ones.
    let (other, there) = (Loopback::free(), "key: header(user), enforce: 40%");
    let _another = Floodwall::start(&limited(other, there));
    let refused_there = |user: usize| {
        let request = Request::get("/").header("user", user.to_string());
        statuses(Client::of(other), &request, 3)[2] == 429
    };
    assert!((0..100).all(|user| refused_there(user) == first[user]));
    floodwall.write(&yaml.with("enforce: 40%", "enforce: 70%"));
    assert_eq!(floodwall.reload().code, Some(0));
    let second: Vec<bool> = (0..100).map(refused).collect();
    assert!(
        first
            .iter()
            .zip(&second)
            .all(|(before, after)| !before || *after)
    );
}

#[test]
fn the_longest_prefix_is_an_exception_and_a_value_before_it() {
    let web = Loopback::free();
    let limit = "key: header(user), exceptions: { \"vip-*\": { rate: 4/d, burst: 4 }, \"vip-gold-*\": unlimited, vip-bad: 0/s }";
    let _floodwall = Floodwall::start(&limited(web, limit));
    let of = |user: &str, times| {
        statuses(
            Client::of(web),
            &Request::get("/").header("user", user),
            times,
        )
    };
    assert_eq!(of("vip-1", 5), [200, 200, 200, 200, 429]);
    assert_eq!(of("vip-gold-1", 9), [200; 9]);
    assert_eq!(of("vip-bad", 1), [429]);
    assert_eq!(of("vip", 3), [200, 200, 429]);
}
