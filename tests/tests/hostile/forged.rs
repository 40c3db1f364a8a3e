//! What clients say in the place of a proxy before the origin.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request};

use crate::front;

const FORGED: [(&str, &str); 9] = [
    ("Forwarded", "for=203.0.113.9"),
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Prefix", "/admin"),
    ("X-Real-IP", "203.0.113.9"),
    ("X-Client", "203.0.113.9"),
    ("X_Forwarded_For", "203.0.113.9"),
    ("X-Edge_Id", "mine"),
    ("Proxy", "http://203.0.113.9"),
];

#[test]
fn nobody_speaks_for_a_proxy_but_a_proxy() {
    let (web, origin, proxy) = (Loopback::free(), Origin::start(), Loopback::claim().ip());
    let yaml = front(web, origin.address())
        .with(
            "upstream: app }\n",
            "upstream: app, request_headers: { set: { x-edge-id: ours } } }\n",
        )
        .and(&format!(
            "clients: {{ trusted_proxies: [{proxy}], forwarded_header: x-client }}\n"
        ));
    let _floodwall = Floodwall::start(&yaml);
    let request = FORGED
        .into_iter()
        .fold(Request::get("/"), |request, (name, value)| {
            request.header(name, value)
        })
        .header("My_Own", "1");
    let stranger = Loopback::claim().ip();
    assert_eq!(Client::of(web).from(stranger).send(&request).status, 200);
    let seen = origin.last();
    let told = |name: &str| seen.header(name).map(str::to_owned);
    assert_eq!(told("x-forwarded-for"), Some(stranger.to_string()));
    assert_eq!(told("x-edge-id").as_deref(), Some("ours"));
    assert_eq!(told("my_own").as_deref(), Some("1"));
    for name in [
        "forwarded",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-real-ip",
        "x-client",
        "x_forwarded_for",
        "x-edge_id",
        "proxy",
    ] {
        assert_eq!(told(name), None, "{name}");
    }
    // A proxy that is trusted may say all of it, but for names that only look like others.
    assert_eq!(Client::of(web).from(proxy).send(&request).status, 200);
    let seen = origin.last();
    for (name, value) in FORGED {
        let passes = !name.contains('_') && name != "Proxy" && name != "X-Forwarded-For";
        if passes {
            assert_eq!(seen.header(&name.to_lowercase()), Some(value), "{name}");
        }
    }
    for name in ["x_forwarded_for", "x-edge_id", "proxy"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

/// HTTP/1.0 may leave out the Host, HTTP/1.1 towards the origin may not.
#[test]
fn an_old_client_without_a_host_asks_for_the_address_it_came_to() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let _floodwall = Floodwall::start(&front(web, origin.address()));
    for (line, host) in [
        ("GET /x HTTP/1.0", web.to_string()),
        (
            "GET http://a.example:81/x HTTP/1.0",
            "a.example:81".to_owned(),
        ),
    ] {
        let bytes = format!("{line}\r\n\r\n");
        let response = Client::of(web)
            .exchange(bytes.as_bytes())
            .expect("an answer");
        assert_eq!(crate::status_of(&response), 200, "{line}");
        let seen = origin.last();
        assert_eq!((&*seen.target, seen.header("host")), ("/x", Some(&*host)));
    }
    for line in ["GET http://u@a/x HTTP/1.0", "GET http:///x HTTP/1.0"] {
        let bytes = format!("{line}\r\n\r\n");
        let response = Client::of(web)
            .exchange(bytes.as_bytes())
            .expect("an answer");
        assert_eq!(crate::status_of(&response), 400, "{line}");
    }
    assert_eq!(origin.count(), 2);
}
