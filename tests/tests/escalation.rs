//! From refusals to a block, without the kernel: who is blocked, when, for how long, and who never is.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml, eventually, wait};

/// A file that blocks a client for a second after three refusals.
fn front(web: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
limits:
  strict: { key: client, rate: 1/d, burst: 1, block: { after: 3, within: 2s, for: 1s, max: 3s } }
routes:
  - { name: all, match: { path_prefix: / }, limits: [strict], respond: { body: ok } }
",
    )
    .with("WEB", web)
}

/// The statuses of requests of one client on a connection each; 0 for a connection that is closed instead.
fn statuses(client: Client, request: &Request, times: usize) -> Vec<u16> {
    let status = || {
        client
            .try_send(request)
            .map_or(0, |response| response.status)
    };
    (0..times).map(|_| status()).collect()
}

fn blocked(floodwall: &Floodwall<'_>) -> Vec<String> {
    let source = |block: serde_json::Value| {
        let source = block["source"].as_str().expect("a source");
        source.trim_end_matches("/32").to_owned()
    };
    floodwall.blocks().into_iter().map(source).collect()
}

#[test]
fn one_refusal_too_many_is_a_block_and_each_is_twice_the_last() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&front(web));
    let (ip, other) = (Loopback::claim().ip(), Loopback::claim().ip());
    let (client, get) = (Client::of(web).from(ip), Request::get("/"));
    assert_eq!(statuses(client, &get, 6), [200, 429, 429, 429, 0, 0]);
    assert_eq!(blocked(&floodwall), [ip.to_string()]);
    assert_eq!(statuses(Client::of(web).from(other), &get, 2), [200, 429]);
    for seconds in [1.0, 2.0, 3.0, 3.0] {
        let begun = Instant::now();
        let block = floodwall.blocks().pop().expect("it is blocked");
        let of = |key: &str| block[key].as_f64().expect("a number");
        let whole = of("since_seconds_ago") + of("ends_in_seconds");
        assert!(
            (whole - seconds).abs() < 0.05,
            "a block of {whole} s instead of {seconds} s"
        );
        // The first answer after it is a refusal, since the day's budget is used up.
        let first = wait::until(Duration::from_secs(10), || client.try_send(&get).ok());
        assert_eq!(first.map(|response| response.status), Some(429));
        assert!(begun.elapsed().as_secs_f64() > of("ends_in_seconds") - 0.01);
        // What it does within the block's time and after counts anew.
        assert_eq!(statuses(client, &get, 3), [429, 429, 0]);
    }
    assert_eq!(floodwall.status()["limits"][0]["blocks"], 5);
}

#[test]
fn refusals_that_are_far_apart_are_no_offence() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&front(web).with("within: 2s", "within: 300ms"));
    let client = Client::of(web).from(Loopback::claim().ip());
    assert_eq!(client.get("/").status, 200);
    let apart = Duration::from_millis(400);
    let slowly = wait::paced(apart, Duration::from_secs(3), || client.get("/").status);
    assert_eq!(slowly, [429; 8]);
    assert!(blocked(&floodwall).is_empty());
}

/// Whoever asks for more slots than there are, or for turns that are too far away, is refused and so can be blocked.
#[test]
fn a_block_stands_beside_slots_and_queues_too() {
    let block = "block: { after: 3, within: 1m, for: 1m }";
    for limit in [
        "concurrency: 1",
        "concurrency: 1, queue: { max_wait: 50ms }",
        "rate: 1/d, burst: 1, queue: { max_wait: 1s }",
    ] {
        let (web, origin) = (Loopback::free(), Origin::start());
        let yaml = front(web)
            .with(
                "rate: 1/d, burst: 1, block: { after: 3, within: 2s, for: 1s, max: 3s }",
                format!("{limit}, {block}"),
            )
            .with("respond: { body: ok }", "upstream: app")
            .and(&format!(
                "upstreams: {{ app: {{ servers: [\"{}\"] }} }}\n",
                origin.address()
            ));
        let floodwall = Floodwall::start(&yaml);
        let (ip, other) = (Loopback::claim().ip(), Loopback::claim().ip());
        let client = Client::of(web).from(ip);
        let mut held = client.connect().expect("the proxy accepts");
        held.write(b"GET /slow/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("the request goes out");
        eventually!(origin.count() == 1);
        assert_eq!(
            statuses(client, &Request::get("/"), 4),
            [429, 429, 429, 0],
            "{limit}"
        );
        assert_eq!(blocked(&floodwall), [ip.to_string()], "{limit}");
        // What it has under way ends with the block, and so does its slot.
        eventually!(floodwall.status()["limits"][0]["in_flight"] == 0);
        assert_eq!(Client::of(web).from(other).get("/").status, 200, "{limit}");
    }
}

#[test]
fn whom_a_block_would_hit_beside_the_client_is_never_blocked() {
    let web = Loopback::free();
    let [proxy, allowed, stranger] = [(); 3].map(|()| Loopback::claim().ip());
    let yaml = front(web).and(&format!(
        "clients: {{ trusted_proxies: [{proxy}] }}\nprefilter: {{ interfaces: [lo], mode: \"off\", allow: [{allowed}] }}\n"
    ));
    let floodwall = Floodwall::start(&yaml);
    let get = Request::get("/");
    let times = 20;
    let statuses =
        |from: Ipv4Addr, request: &Request| statuses(Client::of(web).from(from), request, times);
    let refused = [vec![200], vec![429; times - 1]].concat();
    // The proxy itself, somebody behind it, and one who is on the allow list.
    assert_eq!(statuses(proxy, &get), refused);
    assert_eq!(
        statuses(proxy, &get.clone().header("X-Forwarded-For", "203.0.113.9")),
        refused
    );
    assert_eq!(
        statuses(
            proxy,
            &get.clone().header("X-Forwarded-For", stranger.to_string())
        ),
        refused
    );
    assert_eq!(statuses(allowed, &get), refused);
    assert!(blocked(&floodwall).is_empty());
    for address in [proxy, allowed] {
        let answer = floodwall.ask(&["blocks", "add", &address.to_string(), "--for", "1m"]);
        assert_eq!(answer.code, Some(1), "{}", answer.stdout);
        assert!(
            answer.stderr.contains(&address.to_string()),
            "{}",
            answer.stderr
        );
    }
    // A stranger who says that it is somebody else is blocked as who it is.
    let liar = get.clone().header("X-Forwarded-For", allowed.to_string());
    assert_eq!(statuses(stranger, &liar)[..6], [429, 429, 429, 0, 0, 0]);
    assert_eq!(blocked(&floodwall), [stranger.to_string()]);
}

#[test]
fn an_operator_adds_lists_removes_and_clears() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&front(web));
    let [one, two] = [(); 2].map(|()| Loopback::claim().ip());
    let get = Request::get("/");
    for ip in [one, two] {
        assert_eq!(statuses(Client::of(web).from(ip), &get, 1), [200]);
        let answer = floodwall.ask(&[
            "blocks",
            "add",
            &ip.to_string(),
            "--for",
            "10m",
            "--reason",
            "a test",
        ]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert_eq!(statuses(Client::of(web).from(ip), &get, 1), [0]);
    }
    let blocks = floodwall.blocks();
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    for block in &blocks {
        assert_eq!(
            (&block["by"], &block["reason"]),
            (&"operator".into(), &"a test".into())
        );
        assert_eq!(
            block["dropped_packets"], 1,
            "what is turned away is counted here"
        );
    }
    let table = floodwall.ask(&["blocks", "list"]).stdout;
    assert!(
        table.contains(&one.to_string()) && table.contains("a test"),
        "{table}"
    );
    let remove = || floodwall.ask(&["blocks", "remove", &one.to_string()]).code;
    assert_eq!(remove(), Some(0));
    assert_eq!(statuses(Client::of(web).from(one), &get, 1), [429]);
    assert_eq!(remove(), Some(1), "it was not blocked any more");
    assert_eq!(floodwall.ask(&["blocks", "clear"]).code, Some(0));
    assert_eq!(statuses(Client::of(web).from(two), &get, 1), [429]);
    assert!(blocked(&floodwall).is_empty());
}

#[test]
fn a_reload_ends_no_block_and_forgives_no_refusal() {
    let web = Loopback::free();
    let yaml = front(web).with("for: 1s, max: 3s", "for: 1h");
    let floodwall = Floodwall::start(&yaml);
    let [one, two] = [(); 2].map(|()| Client::of(web).from(Loopback::claim().ip()));
    let get = Request::get("/");
    assert_eq!(statuses(one, &get, 5), [200, 429, 429, 429, 0]);
    assert_eq!(statuses(two, &get, 3), [200, 429, 429]);
    floodwall.write(&yaml.with("body: ok", "body: new"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(statuses(one, &get, 1), [0]);
    assert_eq!(statuses(two, &get, 2), [429, 0]);
}
