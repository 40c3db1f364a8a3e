//! Which route takes a request, and who answers it.

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml};

use crate::front;

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
            ("spelled", "{ path: \"/caf%c3%a9/%7Eme\" }"),
            ("under", "{ path_prefix: \"/%63offee/\" }"),
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
        (Request::get("/x").host("a.b.example.net."), "suffix"),
        // However the file spells a path, and however a client does.
        (Request::get("/caf%C3%A9/~me"), "spelled"),
        (Request::get("/caf%c3%A9/%7eme"), "spelled"),
        (Request::get("/coffee/a"), "under"),
        (Request::get("/c%6Fffee"), "under"),
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
