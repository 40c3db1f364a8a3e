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

const EVERYTHING: &str = "\
upstreams: { app: { servers: [127.0.0.1:9] }, beta: { servers: [127.0.0.1:10] } }
limits:
  seen: { key: client, rate: 1/m, shadow: true }
  few: { key: client, rate: 1/m, enforce: 0% }
  some: { key: client, rate: 1/m, exceptions: { 192.0.2.1: 9/s, 192.0.2.2: unlimited }, block: { after: 3, within: 10s, for: 5s } }
  posts: { key: client, rate: 1/m, match: { methods: [POST] } }
  named: { key: header(x-account), rate: 1/m, absent: skip }
  bytes: { key: client, count: bytes_out, rate: 1MiB/s }
  late: { key: client, count: { responses: { status: [404] } }, rate: 1/m }
  other: { key: client, rate: 1/m, related: { limit: some } }
gates: { sale: { key: header(x-user), opens: 2999-01-01T00:00:00Z, before: { status: 425 } } }
tokens: { t: { fetch: { upstream: app, path: /t, every: 1h }, take: header(x-t), missing: refuse } }
protection: { in_flight: { trigger: 1k } }
routes:
- { name: answer, match: { path: /answer }, respond: { status: 204 } }
- { name: away, match: { path: /away }, redirect: { to: \"https://x.test/\", status: 308 } }
- { name: sale, match: { path: /sale }, gate: sale, upstream: app }
- { name: token, match: { path: /token }, upstream: app, request_headers: { set: { authorization: \"${token.t}\" } } }
- name: parts
  match: { path_prefix: /parts }
  priority: low
  limits: [seen, few, some, posts, named, bytes, late, other]
  split: [{ when: { headers: { x-beta: \"*\" } }, upstream: beta }, { upstream: app }]
  rewrite: { path_prefix: /p }
  mirror: { upstream: beta, share: 10% }
  compress: true
  timeout: 9s
  response_headers: { set: { x-frame-options: DENY } }
";

#[test]
fn every_kind_of_action_and_rule_is_said() {
    let site = Site::with(EVERYTHING);
    let _service = Service::start(&site);
    let says = |arguments: &[&str], wanted: &[&str]| {
        let said = site.prints(&[&["explain"], arguments].concat());
        for words in wanted {
            assert!(said.contains(words), "no `{words}` in\n{said}");
        }
    };
    says(&["/answer"], &["answered here with 204: the route says so"]);
    says(&["/none"], &["answered here with 404: no route matches"]);
    says(&["/away"], &["sent to https://x.test/ with 308"]);
    says(
        &["/sale"],
        &["answered here with", "refused by the gate sale"],
    );
    says(
        &["/token"],
        &["answered here with 503: the token t is not there yet"],
    );
    says(
        &[
            "--header",
            "x-beta: 1",
            "--header",
            "upgrade: websocket",
            "/parts/x",
        ],
        &[
            "overload    priority low: let in",
            "split       split[0]: its match",
            "goes to upstream beta",
            "rewritten   GET /p/x",
            "mirror: 10% to upstream beta",
            "compress: what the client takes compressed",
            "timeout: 9s for all of it",
            "upgrade: the upstream is asked for websocket",
            "response_headers: set x-frame-options: DENY",
            "seen: in shadow: it counts, and refuses nobody",
            "few: refuses 0% of the keys, and this one is not among them",
            "some: refusal 3 within 10s blocks for 5s",
            "posts: its match leaves this request out",
            "named: the request lacks a part of its key",
            "bytes: charged by bytes of responses",
            "late: charged when the response is known",
            "other: charged by what the limit some admits",
        ],
    );
    says(
        &["--client", "192.0.2.1", "/parts"],
        &["some: an exception gives this key 9/s"],
    );
    says(
        &["--client", "192.0.2.2", "/parts"],
        &["some: an exception lifts it for this key"],
    );
}
