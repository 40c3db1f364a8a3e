//! What passes between client and upstream, and what is said of it.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request};

use crate::front;

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

/// RFC 9112, 3.2.2: a server accepts a target in absolute form. The origin gets it in origin form.
#[test]
fn a_target_in_absolute_form_reaches_the_origin_as_a_path() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let _floodwall = Floodwall::start(&front(web, origin.address()));
    for (target, path) in [
        ("http://shop.example.org/a?b=c", "/a?b=c"),
        ("HTTP://shop.example.org", "/"),
        ("https://shop.example.org/x", "/x"),
    ] {
        let request = Request::get(target).host("shop.example.org");
        assert_eq!(Client::of(web).send(&request).status, 200, "{target}");
        let seen = origin.last();
        assert_eq!(seen.target, path);
        assert_eq!(seen.header("host"), Some("shop.example.org"));
    }
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
