//! Limits of requests: who is counted under which key, how exactly, and what a refusal says.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Response, Yaml, wait};

/// A file with one limit that admits two requests, and no third one for an hour.
fn limited(web: SocketAddr, limit: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
limits:
  narrow: { LIMIT, rate: 2/d, burst: 2 }
routes:
  - { name: all, match: { path_prefix: / }, limits: [narrow], respond: { body: ok } }
",
    )
    .with("WEB", web)
    .with("LIMIT", limit)
}

/// Sends the same request again and again, and returns the statuses.
fn statuses(client: Client, request: &Request, times: usize) -> Vec<u16> {
    (0..times).map(|_| client.send(request).status).collect()
}

/// Asserts that a limit by `key` counts `same` with `first`, and `other` apart from both.
fn assert_counts_apart(key: &str, first: &Request, same: &Request, other: &Request) {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, &format!("key: {key}")));
    let client = Client::of(web);
    assert_eq!(statuses(client, first, 1), [200], "{key}");
    assert_eq!(
        statuses(client, same, 2),
        [200, 429],
        "{key}: {same:?} is not counted with {first:?}"
    );
    assert_eq!(
        statuses(client, other, 3),
        [200, 200, 429],
        "{key}: {other:?} is not counted apart"
    );
    assert_eq!(statuses(client, first, 1), [429], "{key}");
}

#[test]
fn each_user_has_five_a_second_spread_in_turn_over_two_origins() {
    let ip = Loopback::claim();
    let (web, one, two) = (ip.free_port(), Origin::start(), Origin::start());
    let yaml = Yaml::example("envoy-sentinel.yaml")
        .with("0.0.0.0:18000", web)
        .with("127.0.0.1:19001", one.address())
        .with("127.0.0.1:19002", two.address())
        .with("127.0.0.1:18001", ip.free_port());
    let _floodwall = Floodwall::start(&yaml);
    for (round, user) in ["ann", "bob", "eve"].into_iter().enumerate() {
        let request = Request::get("/").header("user", user);
        let begun = Instant::now();
        let mut all = statuses(Client::of(web), &request, 10);
        // On a machine that needs a fifth of a second for this, a sixth one has become due.
        let due = usize::try_from(begun.elapsed().as_millis() / 200).expect("a test is short");
        all.sort_unstable();
        let admitted = all.iter().filter(|status| **status == 200).count();
        assert!((5..=5 + due).contains(&admitted), "{user}: {all:?}");
        assert_eq!(
            admitted + all.iter().filter(|status| **status == 429).count(),
            10,
            "{all:?}"
        );
        if due == 0 {
            assert_eq!(one.count() + two.count(), 5 * (round + 1));
        }
        assert!(
            one.count().abs_diff(two.count()) <= 1,
            "{} and {}",
            one.count(),
            two.count()
        );
    }
    let served = one.count() + two.count();
    let tenth = Duration::from_millis(100);
    let paced = wait::paced(tenth, Duration::from_secs(2), || {
        Client::of(web)
            .send(&Request::get("/").header("user", "zoe"))
            .status
    });
    let admitted = paced.iter().filter(|status| **status == 200).count();
    // Five at once, and from then on every second one: five in each of two seconds.
    assert!(
        (14..=15).contains(&admitted),
        "{admitted} of {}: {paced:?}",
        paced.len()
    );
    assert_eq!(one.count() + two.count(), served + admitted);
    assert!(
        one.count().abs_diff(two.count()) <= 1,
        "{} and {}",
        one.count(),
        two.count()
    );
}

#[test]
fn every_part_of_a_key_tells_requests_apart() {
    let get = Request::get;
    assert_counts_apart(
        "header(user)",
        &get("/a").header("user", "ann"),
        &get("/b").header("User", "ann").host("b"),
        &get("/a").header("user", "bob"),
    );
    assert_counts_apart(
        "cookie(uid)",
        &get("/").header("Cookie", "uid=1; a=b"),
        &get("/x").header("Cookie", "c=d; uid=1"),
        &get("/").header("Cookie", "uid=2; a=b"),
    );
    assert_counts_apart(
        "query(page)",
        &get("/?page=1"),
        &get("/x?a=b&page=1"),
        &get("/?page=2"),
    );
    assert_counts_apart("path", &get("/a?q=1"), &get("/a?q=2"), &get("/a/"));
    assert_counts_apart(
        "host",
        &get("/").host("A.example.org"),
        &get("/x").host("a.example.org:80"),
        &get("/").host("b.example.org"),
    );
    assert_counts_apart(
        "method",
        &get("/"),
        &get("/x"),
        &Request::new("DELETE", "/"),
    );
    assert_counts_apart(
        "[path, header(user)]",
        &get("/a").header("user", "ann"),
        &get("/a?x=1").header("user", "ann"),
        &get("/b").header("user", "ann"),
    );
    // Parts do not run into each other: "a" and "bc" are not "ab" and "c".
    assert_counts_apart(
        "[header(x), header(y)]",
        &get("/").header("x", "a").header("y", "bc"),
        &get("/").header("y", "bc").header("x", "a"),
        &get("/").header("x", "ab").header("y", "c"),
    );
}

#[test]
fn requests_without_the_named_part_share_one_budget() {
    assert_counts_apart(
        "header(user)",
        &Request::get("/a"),
        &Request::get("/b").host("elsewhere"),
        &Request::get("/").header("user", ""),
    );
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: header(user), absent: skip"));
    assert_eq!(statuses(Client::of(web), &Request::get("/"), 5), [200; 5]);
    let ann = Request::get("/").header("user", "ann");
    assert_eq!(statuses(Client::of(web), &ann, 3), [200, 200, 429]);
}

#[test]
fn clients_are_told_apart_by_address() {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: client"));
    let (one, two) = (Loopback::claim().ip(), Loopback::claim().ip());
    let request = Request::get("/");
    assert_eq!(
        statuses(Client::of(web).from(one), &request, 3),
        [200, 200, 429]
    );
    assert_eq!(
        statuses(Client::of(web).from(two), &request, 3),
        [200, 200, 429]
    );
}

#[test]
fn ipv6_clients_count_as_their_64() {
    let (web, proxy) = (Loopback::free(), Loopback::claim().ip());
    let yaml =
        limited(web, "key: client").and(&format!("clients: {{ trusted_proxies: [{proxy}] }}\n"));
    let _floodwall = Floodwall::start(&yaml);
    let of = |address: &str| {
        let request = Request::get("/").header("X-Forwarded-For", address);
        Client::of(web).from(proxy).send(&request).status
    };
    let one_network = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1::3"];
    assert_eq!(one_network.map(of), [200, 200, 429]);
    assert_eq!(of("2001:db8:0:2::1"), 200);
}

#[test]
fn one_budget_for_all_is_one_budget_for_all() {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: none"));
    let from_anywhere =
        [0; 3].map(|_| Client::of(web).from(Loopback::claim().ip()).get("/").status);
    assert_eq!(from_anywhere, [200, 200, 429]);
}

#[test]
fn a_route_and_a_connection_are_keys_too() {
    let web = Loopback::free();
    let yaml = limited(web, "key: route").with(
        "  - { name: all,",
        "  - { name: special, match: { path: /special }, limits: [narrow], respond: { body: ok } }\n  - { name: all,",
    );
    let _floodwall = Floodwall::start(&yaml);
    let client = Client::of(web);
    assert_eq!(
        statuses(client, &Request::get("/special"), 3),
        [200, 200, 429]
    );
    assert_eq!(
        statuses(client, &Request::get("/other"), 3),
        [200, 200, 429]
    );

    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: connection"));
    for _ in 0..2 {
        let mut connection = Client::of(web).connect().expect("a connection");
        let statuses = [0; 3].map(|_| connection.get("/").expect("a response").status);
        assert_eq!(statuses, [200, 200, 429]);
    }
}

#[test]
fn exceptions_give_some_keys_more_and_some_none() {
    let web = Loopback::free();
    let (one, other) = (Loopback::claim().ip(), Loopback::claim().ip());
    let [a, b, c, _] = other.octets();
    let limit = format!(
        "key: client, exceptions: {{ {one}: 5/d, {a}.{b}.{c}.0/24: unlimited, 0.0.0.0/8: 1/d }}"
    );
    let _floodwall = Floodwall::start(&limited(web, &limit).with("2/d, burst: 2", "2/d, burst: 2"));
    let request = Request::get("/");
    // The closest exception holds: the address before its own network.
    assert_eq!(statuses(Client::of(web).from(one), &request, 2), [200, 429]);
    assert_eq!(statuses(Client::of(web).from(other), &request, 9), [200; 9]);

    let web = Loopback::free();
    let limit =
        "key: header(user), exceptions: { ann: { rate: 4/d, burst: 4 }, bob: 0/s, eve: unlimited }";
    let _floodwall = Floodwall::start(&limited(web, limit));
    let of = |user: &str, times| {
        statuses(
            Client::of(web),
            &Request::get("/").header("user", user),
            times,
        )
    };
    assert_eq!(of("ann", 5), [200, 200, 200, 200, 429]);
    assert_eq!(of("bob", 1), [429]);
    assert_eq!(of("eve", 9), [200; 9]);
    assert_eq!(of("zoe", 3), [200, 200, 429]);
}

#[test]
fn a_limit_with_a_match_counts_only_what_matches() {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(
        web,
        "key: client, match: { path_prefix: /login, methods: [POST] }",
    ));
    let client = Client::of(web);
    assert_eq!(statuses(client, &Request::get("/login"), 5), [200; 5]);
    assert_eq!(
        statuses(client, &Request::new("POST", "/logins"), 5),
        [200; 5]
    );
    assert_eq!(
        statuses(client, &Request::new("POST", "/login/now"), 3),
        [200, 200, 429]
    );
}

#[test]
fn a_limit_in_shadow_counts_and_never_refuses() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&limited(web, "key: client, shadow: true"));
    assert_eq!(statuses(Client::of(web), &Request::get("/"), 5), [200; 5]);
    let limit = &floodwall.status()["limits"][0];
    assert_eq!(
        [&limit["admitted"], &limit["shadowed"], &limit["refused"]],
        [2, 3, 0]
    );
}

#[test]
fn a_request_is_charged_by_all_its_limits_or_by_none() {
    let web = Loopback::free();
    let yaml = limited(web, "key: header(user)")
        .with(
            "limits:\n",
            "limits:\n  wide: { key: none, rate: 6/d, burst: 6 }\n",
        )
        .with("[narrow]", "[wide, narrow]");
    let floodwall = Floodwall::start(&yaml);
    let of = |user: &str, times| {
        statuses(
            Client::of(web),
            &Request::get("/").header("user", user),
            times,
        )
    };
    // Were the wide limit charged for what the narrow one refuses, nothing would be left after ann.
    assert_eq!(of("ann", 9), [200, 200, 429, 429, 429, 429, 429, 429, 429]);
    assert_eq!(of("bob", 3), [200, 200, 429]);
    assert_eq!(of("eve", 3), [200, 200, 429]);
    let response = Client::of(web).send(&Request::get("/").header("user", "zoe"));
    assert_eq!((response.status, limit_of(&response)), (429, "wide"));
    // And the narrow one was not charged for what the wide one refused.
    let explained = floodwall.json(&[
        "explain",
        "--json",
        "--header",
        "user:zoe",
        &format!("http://{web}/"),
    ]);
    assert_eq!(explained["limits"][1]["remaining"], 2, "{explained}");
    let limits = &floodwall.status()["limits"];
    assert_eq!([&limits[0]["admitted"], &limits[0]["refused"]], [6, 2]);
    assert_eq!([&limits[1]["admitted"], &limits[1]["refused"]], [6, 8]);
}

/// The limit's name in a `RateLimit` field.
fn limit_of(response: &Response) -> &str {
    let field = response.header("ratelimit").expect("RateLimit is there");
    field.split('"').nth(1).expect("it names the limit")
}

#[test]
fn a_refusal_says_which_limit_it_was_and_when_to_come_back() {
    let web = Loopback::free();
    let yaml = limited(web, "key: client").with("2/d, burst: 2", "1/m, burst: 2");
    let floodwall = Floodwall::start(&yaml);
    let admitted = Client::of(web).get("/");
    assert_eq!(
        admitted.header("ratelimit-policy"),
        Some("\"narrow\";q=2;w=120")
    );
    assert_eq!(admitted.header("ratelimit"), Some("\"narrow\";r=1;t=60"));
    assert_eq!(admitted.header("retry-after"), None);
    assert_eq!(
        Client::of(web).get("/").header("ratelimit"),
        Some("\"narrow\";r=0;t=60")
    );

    let text = Client::of(web).get("/refused");
    assert_eq!(text.status, 429);
    assert_eq!(text.header("retry-after"), Some("60"));
    assert_eq!(
        text.header("ratelimit-policy"),
        Some("\"narrow\";q=2;w=120")
    );
    assert_eq!(text.header("ratelimit"), Some("\"narrow\";r=0;t=60"));
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        text.body,
        "refused by the limit narrow; come back in 60 seconds\n"
    );
    assert!(!text.closes(), "a refusal does not cost the connection");

    let json = Client::of(web).send(&Request::get("/").header("Accept", "application/json"));
    assert_eq!(
        (json.status, json.header("content-type")),
        (429, Some("application/json"))
    );
    let body: serde_json::Value = serde_json::from_str(&json.body).expect("JSON, as asked for");
    assert_eq!(
        (&body["limit"], &body["retry_after_seconds"]),
        (&"narrow".into(), &60.into())
    );

    let line = floodwall.logged(|line| line["path"] == "/refused");
    assert_eq!(
        [&line["status"], &line["limit"], &line["verdict"]],
        [
            &429.into(),
            &"narrow".into(),
            &serde_json::Value::from("refused")
        ]
    );
}

#[test]
fn a_refusal_may_look_otherwise() {
    let web = Loopback::free();
    let limit = "key: none, reject: { status: 503, headers: { x-why: busy }, body: \"later\\n\" }";
    let _floodwall = Floodwall::start(&limited(web, limit).with("2/d, burst: 2", "0/s"));
    // 0/s admits nothing, from the first request, and nobody can say when to come back.
    let response = Client::of(web).get("/");
    assert_eq!((response.status, response.body.as_str()), (503, "later\n"));
    assert_eq!(
        (response.header("x-why"), response.header("retry-after")),
        (Some("busy"), None)
    );
}

#[test]
fn explain_foretells_and_charges_nothing() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&limited(web, "key: client"));
    let url = format!("http://{web}/x");
    let explain = || floodwall.json(&["explain", "--json", "--client", "203.0.113.7", &url]);
    for _ in 0..5 {
        let explained = explain();
        assert_eq!(explained["route"], "all", "{explained}");
        assert_eq!(
            (
                &explained["limits"][0]["would"],
                &explained["limits"][0]["remaining"]
            ),
            (&"admit".into(), &2.into())
        );
    }
}

/// 8 threads ask as fast as they can; whatever they do, no more is admitted than burst and rate allow.
#[test]
fn never_more_than_the_burst_and_the_rate_on_any_number_of_threads() {
    const RATE: f64 = 500.0;
    const BURST: f64 = 100.0;
    let web = Loopback::free();
    let yaml = limited(web, "key: none")
        .with("2/d, burst: 2", "500/s, burst: 100")
        .and("log: { access: off }\n");
    let floodwall = Floodwall::start(&yaml);
    let admitted = AtomicUsize::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Client::of(web).connect().expect("a connection");
                while begun.elapsed() < Duration::from_secs(3) {
                    match connection.get("/").expect("a response").status {
                        200 => admitted.fetch_add(1, Relaxed),
                        429 => continue,
                        other => panic!("status {other}"),
                    };
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f64();
    let admitted = admitted.into_inner();
    let most = BURST + RATE * took;
    let limit = &floodwall.status()["limits"][0];
    println!(
        "admitted {admitted}, allowed {most:.0}, refused {}",
        limit["refused"]
    );
    assert_eq!(limit["admitted"], admitted);
    assert_ne!(limit["refused"], 0, "the test never came to the limit");
    let count = f64::from(u32::try_from(admitted).expect("a test is short"));
    assert!(count <= most, "{admitted} admitted of {most}");
    assert!(count >= most * 0.95, "only {admitted} admitted of {most}");
}
