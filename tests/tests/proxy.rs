//! The proxy: which request goes where, what the upstream is told, and what the client gets when it fails.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Signal, Yaml, eventually};

/// A file whose only route goes to `origin`.
fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
routes:
  - { name: all, match: { path_prefix: / }, upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
}

/// Routes that answer with their own names, on a listener.
fn routes(web: SocketAddr, matches: &[(&str, &str)]) -> Yaml {
    let routes = matches.iter().map(|(name, rule)| {
        format!("  - {{ name: {name}, match: {rule}, respond: {{ body: {name} }} }}\n")
    });
    Yaml::new("listeners: { web: { address: WEB } }\nroutes:\n")
        .with("WEB", web)
        .and(&routes.collect::<String>())
}

#[test]
fn the_first_route_that_matches_takes_the_request() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&routes(
        web,
        &[
            ("exact", "{ path: /exact }"),
            ("host", "{ hosts: [shop.example.org] }"),
            ("suffix", "{ hosts: [\"*.example.net\"] }"),
            ("method", "{ path_prefix: /a, methods: [PUT, DELETE] }"),
            (
                "header",
                "{ path_prefix: /a, headers: { x-beta: \"yes\" } }",
            ),
            (
                "header-there",
                "{ path_prefix: /a, headers: { x-any: \"*\" } }",
            ),
            ("query", "{ path_prefix: /a, query: { page: \"2\" } }"),
            ("cookie", "{ path_prefix: /a, cookies: { uid: \"7\" } }"),
            ("regex", "{ path_regex: \"^/img/[0-9]+\\\\.png$\" }"),
            ("prefix", "{ path_prefix: /a }"),
        ],
    ));
    let client = Client::of(web);
    for (request, route) in [
        (Request::get("/exact"), "exact"),
        (Request::get("/exact?with=query"), "exact"),
        (Request::get("/exact").host("shop.example.org"), "exact"),
        (Request::get("/x").host("shop.example.org"), "host"),
        (Request::get("/x").host("SHOP.example.org:8080"), "host"),
        (Request::get("/x").host("a.b.example.net"), "suffix"),
        (Request::new("PUT", "/a"), "method"),
        (Request::new("DELETE", "/a/b"), "method"),
        (Request::get("/a").header("X-Beta", "yes"), "header"),
        (Request::get("/a").header("X-Beta", "no"), "prefix"),
        (Request::get("/a").header("x-any", ""), "header-there"),
        (Request::get("/a?page=2"), "query"),
        (Request::get("/a?page=%32"), "query"),
        (Request::get("/a?page=22"), "prefix"),
        (Request::get("/a").header("Cookie", "b=1; uid=7"), "cookie"),
        (Request::get("/img/12.png"), "regex"),
        (Request::get("/a/b/c"), "prefix"),
    ] {
        let response = client.send(&request);
        assert_eq!(
            (response.status, response.body.as_str()),
            (200, route),
            "{request:?}"
        );
    }
    for request in [
        Request::get("/exact/"),
        Request::get("/x").host("example.net"),
        Request::get("/x").host("evilexample.net"),
        Request::get("/ab"),
        Request::get("/img/a.png"),
        Request::get("/old/img/1.png"),
    ] {
        assert_eq!(client.send(&request).status, 404, "{request:?}");
    }
    let line = floodwall.logged(|line| line["path"] == "/ab");
    assert_eq!(
        (&line["status"], &line["verdict"]),
        (&404.into(), &"unrouted".into())
    );
    assert_eq!(floodwall.status()["requests"]["unrouted"], 6);
}

#[test]
fn servers_take_turns_by_their_weights_exactly() {
    let web = Loopback::free();
    let (one, two) = (Origin::start(), Origin::start());
    let yaml = front(web, one.address()).with("[", "[{ address: ").with(
        "]",
        format!(
            ", weight: 1 }}, {{ address: {}, weight: 2 }}]",
            two.address()
        ),
    );
    let yaml = yaml.and("server: { threads: 2 }\n");
    let _floodwall = Floodwall::start(&yaml);
    for round in 1..=20 {
        for _ in 0..3 {
            assert_eq!(Client::of(web).get("/").status, 200);
        }
        assert_eq!((one.count(), two.count()), (round, 2 * round));
    }
}

#[test]
fn a_route_may_answer_itself() {
    let web = Loopback::free();
    let yaml = routes(web, &[("teapot", "{ path_prefix: / }")]).with(
        "respond: { body: teapot }",
        "respond: { status: 418, headers: { x-pot: tea, content-type: text/html }, body: \"short\\n\" }",
    );
    let _floodwall = Floodwall::start(&yaml);
    let response = Client::of(web).get("/");
    assert_eq!((response.status, response.body.as_str()), (418, "short\n"));
    assert_eq!(response.header("x-pot"), Some("tea"));
    assert_eq!(response.header("content-type"), Some("text/html"));
    let response = Client::of(web).send(&Request::new("HEAD", "/"));
    assert_eq!(
        (response.header("content-length"), response.body.as_str()),
        (Some("6"), "")
    );
}

#[test]
fn bodies_pass_whole_both_ways() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let _floodwall = Floodwall::start(&front(web, origin.address()));
    let body = "0123456789abcdef".repeat(1 << 14);
    let response = Client::of(web).send(&Request::new("POST", "/upload").body(&body));
    assert_eq!(response.body, "origin: /upload\n");
    assert!(origin.last().body == body, "the body changed on its way");
    let chunked = b"POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let mut connection = Client::of(web).connect().unwrap();
    connection.write(chunked).unwrap();
    assert_eq!(connection.response().unwrap().status, 200);
    assert_eq!(origin.last().body, "hello");
    // The same connection is good for more.
    assert_eq!(connection.get("/again").unwrap().body, "origin: /again\n");
}

#[test]
fn connections_are_kept_on_both_sides() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).and("server: { threads: 1 }\n");
    let floodwall = Floodwall::start(&yaml);
    let mut connection = Client::of(web).connect().unwrap();
    for _ in 0..10 {
        assert_eq!(connection.get("/").unwrap().status, 200);
    }
    assert_eq!(floodwall.status()["connections"]["accepted"], 1);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn the_upstream_is_told_whom_it_serves() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let ip = Loopback::claim().ip();
    // What a stranger says of itself is not passed on.
    let request = Request::get("/")
        .host("shop.example.org")
        .header("X-Forwarded-For", "203.0.113.9")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "evil.example.org")
        .header("X-Request-Id", "mine");
    Client::of(web).from(ip).send(&request);
    let seen = origin.last();
    assert_eq!(seen.header("host"), Some("shop.example.org"));
    assert_eq!(
        seen.header("x-forwarded-for"),
        Some(ip.to_string().as_str())
    );
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example.org"));
    let id = seen.header("x-request-id").unwrap().to_owned();
    assert_ne!(id, "mine");
    assert_eq!(
        floodwall.logged(|line| line["path"] == "/")["request_id"],
        *id
    );
    Client::of(web).get("/");
    assert_ne!(origin.last().header("x-request-id"), Some(id.as_str()));
}

#[test]
fn headers_are_changed_as_the_route_says() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with(
        "upstream: app }",
        "upstream: app, request_headers: { set: { x-a: \"1\" }, add: { x-b: \"2\" }, remove: [x-c] }, \
         response_headers: { set: { x-d: \"4\" }, remove: [x-origin] } }",
    );
    let _floodwall = Floodwall::start(&yaml);
    let response = Client::of(web).send(&Request::get("/").header("x-a", "0").header("x-c", "3"));
    let seen = origin.last();
    assert_eq!(
        ["x-a", "x-b", "x-c"].map(|name| seen.header(name)),
        [Some("1"), Some("2"), None]
    );
    assert_eq!(
        (response.header("x-d"), response.header("x-origin")),
        (Some("4"), None)
    );
}

#[test]
fn a_trusted_proxy_speaks_for_its_clients() {
    let (web, origin, proxy) = (Loopback::free(), Origin::start(), Loopback::claim().ip());
    let yaml = front(web, origin.address()).and(&format!(
        "clients: {{ trusted_proxies: [{proxy}, 10.0.0.0/8], forwarded_header: x-forwarded-for }}\n"
    ));
    let floodwall = Floodwall::start(&yaml);
    let asked = |path: &str, forwarded: &str| {
        let request = Request::get(path).header("X-Forwarded-For", forwarded);
        Client::of(web).from(proxy).send(&request);
        let line = floodwall.logged(|line| line["path"] == path);
        assert_eq!(line["peer"], proxy.to_string());
        line["client"].as_str().unwrap().to_owned()
    };
    assert_eq!(asked("/one", "203.0.113.9"), "203.0.113.9");
    assert_eq!(asked("/right", "198.51.100.1, 203.0.113.9"), "203.0.113.9");
    assert_eq!(asked("/hops", "203.0.113.9, 10.1.2.3"), "203.0.113.9");
    assert_eq!(asked("/ip6", "2001:db8::7"), "2001:db8::7");
    let chain = origin.last().header("x-forwarded-for").unwrap().to_owned();
    assert_eq!(chain, format!("2001:db8::7, {proxy}"));
}

#[test]
fn the_access_log_says_everything_of_a_request() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    let ip = Loopback::claim().ip();
    let request = Request::new("POST", "/slow/20?secret=1").host("shop.example.org:81");
    let response = Client::of(web).from(ip).send(&request);
    let line = floodwall.logged(|line| line["path"] == "/slow/20");
    assert_eq!(line["client"], ip.to_string());
    assert_eq!(line["peer"], ip.to_string());
    assert_eq!(line["method"], "POST");
    assert_eq!(line["host"], "shop.example.org");
    assert_eq!(line["status"], 200);
    assert_eq!(line["bytes"], response.body.len());
    assert_eq!(line["upstream"], "app");
    assert_eq!(line["upstream_address"], origin.address().to_string());
    assert_eq!(line["route"], "all");
    assert!(line["limit"].is_null());
    assert_eq!(line["verdict"], "admitted");
    assert_eq!(line["generation"], 1);
    let (upstream, whole) = (
        line["upstream_ms"].as_f64().unwrap(),
        line["duration_ms"].as_f64().unwrap(),
    );
    assert!(
        20.0 <= upstream && upstream <= whole && whole < 5000.0,
        "{line}"
    );
    let time = line["time"].as_str().unwrap();
    assert!(
        time.len() == 24 && time.ends_with('Z') && time.contains('T'),
        "{time}"
    );
}

#[test]
fn a_dead_server_is_passed_over_for_one_that_lives() {
    let (web, origin, nobody) = (Loopback::free(), Origin::start(), Loopback::free());
    let yaml = front(web, origin.address()).with("[", format!("[{nobody}, "));
    let floodwall = Floodwall::start(&yaml);
    for _ in 0..10 {
        let response = Client::of(web).send(&Request::new("POST", "/").body("sent once"));
        assert_eq!(response.status, 200);
    }
    assert_eq!(origin.count(), 10);
    let upstream = &floodwall.status()["upstreams"][0];
    assert_eq!(
        (&upstream["errors"], &upstream["retries"]),
        (&0.into(), &upstream["connect_failures"])
    );
    assert_ne!(upstream["retries"], 0);
}

#[test]
fn without_retries_a_dead_server_is_a_502() {
    let (web, origin, nobody) = (Loopback::free(), Origin::start(), Loopback::free());
    let yaml = front(web, origin.address())
        .with("[", format!("[{nobody}, "))
        .with("] }", "], retries: { attempts: 0 } }")
        .and("server: { threads: 1 }\n");
    let _floodwall = Floodwall::start(&yaml);
    let statuses = [0; 4].map(|_| Client::of(web).get("/").status);
    assert_eq!(statuses, [502, 200, 502, 200]);
}

#[test]
fn an_upstream_that_is_dead_or_dies_is_a_502() {
    let web = Loopback::free();
    let origin = Origin::start();
    let floodwall = Floodwall::start(&front(web, origin.address()));
    assert_eq!(Client::of(web).get("/hang-up").status, 502);
    assert_eq!(
        origin.count(),
        1,
        "a request that was sent is not sent again"
    );
    drop(origin);
    assert_eq!(Client::of(web).get("/gone").status, 502);
    let line = floodwall.logged(|line| line["path"] == "/gone");
    assert_eq!(
        (&line["status"], &line["verdict"]),
        (&502.into(), &"failed".into())
    );
    assert!(line["error"].is_string());
    assert_eq!(floodwall.status()["upstreams"][0]["errors"], 2);
}

#[test]
fn an_upstream_that_is_too_slow_is_a_504() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address()).with("] }", "], timeouts: { read: 100ms } }");
    let floodwall = Floodwall::start(&yaml);
    let begun = Instant::now();
    assert_eq!(Client::of(web).get("/slow/5000").status, 504);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        floodwall.logged(|line| line["status"] == 504)["verdict"],
        "failed"
    );
    assert_eq!(Client::of(web).get("/slow/10").status, 200);
}

#[test]
fn a_route_s_timeout_bounds_the_whole_exchange() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml =
        front(web, origin.address()).with("upstream: app }", "upstream: app, timeout: 200ms }");
    let _floodwall = Floodwall::start(&yaml);
    let begun = Instant::now();
    assert_eq!(Client::of(web).get("/slow/5000").status, 504);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn sigterm_finishes_what_is_under_way() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let mut floodwall = Floodwall::start(&front(web, origin.address()));
    let mut connection = Client::of(web).connect().unwrap();
    connection
        .write(b"GET /slow/500 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    eventually!(origin.count() == 1);
    floodwall.signal(Signal::SIGTERM);
    assert_eq!(connection.response().unwrap().status, 200);
    assert_eq!(floodwall.wait(Duration::from_secs(5)).code(), Some(0));
    assert!(
        Client::of(web).connect().is_err(),
        "nobody listens any more"
    );
    assert_eq!(
        floodwall.logged(|line| line["path"] == "/slow/500")["status"],
        200
    );
}

#[test]
fn two_listeners_serve_the_same_routes_and_ipv6_is_one_of_them() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let six = {
        let listener = std::net::TcpListener::bind("[::1]:0").unwrap();
        listener.local_addr().unwrap()
    };
    let yaml = front(web, origin.address()).with(
        "} }\nup",
        format!("}}, six: {{ address: \"{six}\" }} }}\nup"),
    );
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(Client::of(web).get("/four").status, 200);
    assert_eq!(Client::of(six).get("/six").status, 200);
    assert_eq!(
        floodwall.logged(|line| line["path"] == "/six")["client"],
        "::1"
    );
    let taken = Floodwall::refuse(&yaml);
    assert_eq!(taken.code, Some(1));
    assert!(taken.stderr.contains(&web.to_string()), "{}", taken.stderr);
}
