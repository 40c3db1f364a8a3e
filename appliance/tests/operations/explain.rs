//! `floodwall explain`

use crate::{
    http,
    service::Service,
    site::{Site, stderr},
};

const RULES: &str = "\
clients: { trusted_proxies: [10.0.0.0/8], forwarded_header: x-forwarded-for }
upstreams:
  app: { servers: [127.0.0.1:9, 127.0.0.1:10] }
limits:
  per-client: { key: client, rate: 1/m, burst: 1 }
  login: { key: [client, path], match: { methods: [POST] }, rate: 5/m }
routes:
  - { name: home, match: { hosts: [example.org], path: / }, respond: { status: 204 } }
  - { name: all, match: { path_prefix: /app }, limits: [per-client, login], upstream: app }
  - { name: pong, match: { path: /ping }, limits: [per-client], respond: { status: 200 } }
";

#[test]
fn a_request_is_followed_to_its_end_and_not_charged() {
    let site = Site::with(RULES);
    let _service = Service::start(&site);
    for _ in 0..3 {
        let explained = site.json(&["explain", "--json", "/app/x?y=1"]);
        assert_eq!(
            (&explained["route"], &explained["limits"][0]["would"]),
            (&"all".into(), &"admit".into())
        );
        assert_eq!(explained["limits"][0]["remaining"], 1);
        assert_eq!(explained["limits"][1]["would"], "skip");
        assert_eq!(explained["action"]["upstream"]["name"], "app");
    }
    assert_eq!(http::get(site.web, "/ping").unwrap().status, 200);
    let explained = site.json(&["explain", "--json", "/ping"]);
    assert_eq!(explained["limits"][0]["would"], "refuse");
    assert_eq!(explained["action"]["respond"]["status"], 429);
    let seconds = explained["limits"][0]["retry_after_seconds"]
        .as_f64()
        .unwrap();
    assert!((1.0..=60.0).contains(&seconds), "{seconds}");
}

#[test]
fn hosts_methods_headers_and_proxies_are_taken_into_account() {
    let site = Site::with(RULES);
    let _service = Service::start(&site);
    let explained = site.json(&["explain", "--json", "http://example.org/"]);
    assert_eq!(
        (
            &explained["route"],
            &explained["action"]["respond"]["status"]
        ),
        (&"home".into(), &204.into())
    );
    let explained = site.json(&["explain", "--json", "--header", "Host: example.org", "/"]);
    assert_eq!(explained["route"], "home");
    let explained = site.json(&["explain", "--json", "/"]);
    assert_eq!(
        (
            &explained["route"],
            &explained["action"]["respond"]["status"]
        ),
        (&serde_json::Value::Null, &404.into())
    );
    let through = [
        "explain",
        "--json",
        "--client",
        "10.0.0.1",
        "--header",
        "x-forwarded-for: 2001:db8::7",
        "--method",
        "POST",
        "/app",
    ];
    let explained = site.json(&through);
    assert_eq!(
        (&explained["client"], &explained["counted_as"]),
        (&"2001:db8::7".into(), &"2001:db8::/64".into())
    );
    assert_eq!(explained["limits"][1]["would"], "admit");
}

#[test]
fn people_read_it_too_and_nonsense_is_named() {
    let site = Site::with(RULES);
    let _service = Service::start(&site);
    let seen = site.prints(&["explain", "/app"]);
    for words in [
        "route       all",
        "upstream app: 127.0.0.1:9, 127.0.0.1:10",
        "per-client  admit",
        "not count it",
    ] {
        assert!(seen.contains(words), "no `{words}` in\n{seen}");
    }
    for (nonsense, words) in [
        (&["explain", "app"] as &[_], "found the url `app`"),
        (&["explain", "/", "--method", "G T"], "found the method"),
    ] {
        let said = stderr(&site.floodwall(nonsense).code(1));
        assert!(said.contains(words), "{said}");
    }
}
