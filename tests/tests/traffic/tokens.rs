//! Tokens that an upstream gives out.

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Http2, Loopback, Mood, Origin, Yaml, eventually};
use serde_json::Value;

/// The contract's example, with its own addresses.
fn example(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::example("token.yaml")
        .with("0.0.0.0:10000", web)
        .with("127.0.0.1:8081", origin)
}

fn token(floodwall: &Floodwall<'_>) -> Value {
    floodwall.status()["tokens"][0].clone()
}

fn auth_of(web: SocketAddr) -> Option<String> {
    let response = Client::of(web).get("/");
    assert_eq!(response.header("x-floodwall"), Some("hello"));
    response.header("x-auth").map(str::to_owned)
}

#[test]
fn the_example_puts_the_token_onto_every_response() {
    let (web, origin) = (Loopback::free(), Origin::start());
    origin.give(&["authorization: Bearer first-secret"]);
    let floodwall = Floodwall::start(&example(web, origin.address()));
    eventually!(auth_of(web).as_deref() == Some("Bearer first-secret"));
    let asked = origin
        .seen()
        .into_iter()
        .find(|seen| seen.target == "/auth");
    let asked = asked.expect("the token was asked for");
    assert_eq!(
        (asked.method.as_str(), asked.header("accept")),
        ("GET", Some("*/*"))
    );
    assert_eq!(token(&floodwall)["last_error"], Value::Null);
    assert!(token(&floodwall)["age_seconds"].as_f64().is_some());
    // Nothing that is shown has it.
    let mut shown = floodwall.log();
    shown += &floodwall.ask(&["status"]).stdout;
    shown += &floodwall.status().to_string();
    shown += &floodwall.ask(&["explain", "/"]).stdout;
    shown += &floodwall.json(&["explain", "--json", "/"]).to_string();
    assert!(!shown.contains("first-secret"), "{shown}");
    // One fetch in the first of its fifteen seconds, however many requests there are.
    for _ in 0..20 {
        Client::of(web).get("/");
    }
    let fetches = origin
        .seen()
        .iter()
        .filter(|seen| seen.target == "/auth")
        .count();
    assert_eq!(fetches, 1);
}

/// However much is asked for, nothing that was said or fetched stands in the log: what libraries trace are messages.
#[test]
fn no_level_of_the_log_has_a_token() {
    let (web, origin) = (Loopback::free(), Origin::start());
    origin.give(&["authorization: Bearer first-secret"]);
    origin.say(r#"{ "t": "second-secret" }"#);
    let yaml = example(web, origin.address())
        .with(
            "routes:\n",
            "  json:
    fetch: { upstream: my_custom_svc, path: /json, every: 15s, headers: { x-key: third-secret }, body: third-secret }
    take: json(/t)
routes:\n",
        )
        .with(
            "    response_headers:",
            "    request_headers: { set: { authorization: \"Bearer ${token.json}\" } }\n    response_headers:",
        )
        .with("{ address:", "{ http2: true, address:")
        .and("log: { level: trace }\n");
    let floodwall = Floodwall::start(&yaml);
    eventually!(auth_of(web).as_deref() == Some("Bearer first-secret"));
    eventually!(
        Client::of(web).get("/").status == 200
            && origin.last().header("authorization") == Some("Bearer second-secret")
    );
    let ended = Http2::connect(web).and_then(|mut client| client.get("/"));
    assert!(ended.is_ok_and(|ended| ended.status == Some(200)));
    let shaking = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
    assert!(Client::of(web).exchange(shaking).is_ok());
    origin.be(Mood::BreakOff);
    assert!(Client::of(web).exchange(b"GET / HTTP/1.0\r\n\r\n").is_ok());
    let log = floodwall.log();
    assert!(log.contains("DEBUG"), "{log}");
    let told = log.lines().find(|line| line.contains("-secret"));
    assert_eq!(told, None);
}

#[test]
fn the_last_good_token_stays_while_its_origin_is_gone_and_the_next_one_replaces_it() {
    let (web, app) = (Loopback::free(), Origin::start());
    let auth = Origin::start();
    auth.give(&["authorization: one"]);
    let address = auth.address();
    let yaml = example(web, address)
        .with(
            "tokens:",
            format!("  app: {{ servers: [{}] }}\ntokens:", app.address()),
        )
        .with(
            "upstream: my_custom_svc\n    response",
            "upstream: app\n    response",
        )
        .with("every: 15s, timeout: 5s", "every: 200ms, timeout: 1s");
    let floodwall = Floodwall::start(&yaml);
    eventually!(auth_of(web).as_deref() == Some("one"));
    drop(auth);
    eventually!(!token(&floodwall)["last_error"].is_null());
    assert_eq!(auth_of(web).as_deref(), Some("one"));
    eventually!(token(&floodwall)["failures"].as_u64() > Some(2));
    assert_eq!(auth_of(web).as_deref(), Some("one"));
    let auth = Origin::at(address);
    auth.give(&["authorization: two"]);
    eventually!(auth_of(web).as_deref() == Some("two"));
    assert_eq!(token(&floodwall)["last_error"], Value::Null);
    // An answer that is none keeps the token too.
    auth.give(&["x-other: three"]);
    eventually!(token(&floodwall)["last_error"] == "the answer has no header authorization");
    assert_eq!(auth_of(web).as_deref(), Some("two"));
}

#[test]
fn a_reload_keeps_the_token_that_comes_from_where_it_came_from() {
    let (web, origin) = (Loopback::free(), Origin::start());
    origin.give(&["authorization: one"]);
    let yaml = example(web, origin.address());
    let floodwall = Floodwall::start(&yaml);
    eventually!(auth_of(web).as_deref() == Some("one"));
    origin.give(&["authorization: two"]);
    floodwall.write(&yaml.clone().with("every: 15s", "every: 1h"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(auth_of(web).as_deref(), Some("one"));
    // From elsewhere it is another token.
    floodwall.write(&yaml.with("path: /auth", "path: /other"));
    assert_eq!(floodwall.reload().code, Some(0));
    eventually!(auth_of(web).as_deref() == Some("two"));
}

#[test]
fn what_a_route_does_without_a_token_is_the_operators_choice() {
    let (web, app) = (Loopback::free(), Origin::start());
    // Nobody listens there.
    let nobody = Loopback::free();
    let yaml = |missing: &str| {
        Yaml::new(
            "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [APP] }, auth: { servers: [AUTH] } }
tokens: { t: { fetch: { upstream: auth, path: /t, every: 100ms }, take: json(/a/t), missing: MISSING } }
routes:
  - { name: plain, match: { path: /plain }, upstream: app }
  - { name: all, upstream: app, request_headers: { set: { authorization: 'Bearer ${token.t}' } } }
",
        )
        .with("WEB", web)
        .with("APP", app.address())
        .with("AUTH", nobody)
        .with("MISSING", missing)
    };
    let floodwall = Floodwall::start(&yaml("omit"));
    eventually!(!token(&floodwall)["last_error"].is_null());
    let client = Client::of(web);
    assert_eq!(client.get("/a").status, 200);
    assert_eq!(app.last().header("authorization"), None);
    let change = |missing| {
        floodwall.write(&yaml(missing));
        assert_eq!(floodwall.reload().code, Some(0));
    };
    change("empty");
    assert_eq!(client.get("/b").status, 200);
    assert_eq!(app.last().header("authorization"), Some("Bearer"));
    change("refuse");
    let response = client.get("/c");
    assert_eq!(
        (response.status, response.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(client.get("/plain").status, 200);
    assert_eq!(app.last().target, "/plain");
    assert_eq!(
        floodwall.json(&["explain", "--json", "/c"])["action"]["respond"]["status"],
        503
    );
    let auth = Origin::at(nobody);
    auth.say(r#"{ "a": { "t": "secret" } }"#);
    eventually!(Client::of(web).get("/d").status == 200);
    assert_eq!(app.last().header("authorization"), Some("Bearer secret"));
}
