//! What the upstream gets to see instead of the client's path and host.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request};

use crate::front;

#[test]
fn the_upstream_sees_the_new_target_and_everybody_else_the_clients() {
    let (web, app) = (Loopback::free(), Origin::start());
    let yaml = front(
        web,
        app.address(),
        "  - { name: api, match: { path_prefix: /api }, limits: [by-path], upstream: app, rewrite: { path_prefix: /v2, host: 'app.internal:81' } }
  - { name: users, upstream: app, rewrite: { path_regex: { pattern: '^/users/([0-9]+)', replacement: '/u/$1' } } }
",
    )
    .and("limits: { by-path: { key: path, rate: 1/h, burst: 1 } }\n");
    let floodwall = Floodwall::start(&yaml);
    let client = Client::of(web);
    let response = client.send(&Request::get("/api/a?b=%2F").host("shop.example"));
    assert_eq!(response.status, 200);
    let seen = app.last();
    assert_eq!(seen.target, "/v2/a?b=%2F");
    assert_eq!(seen.header("host"), Some("app.internal:81"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example"));
    // The limit counts by what the client sent: another path of it is another key, the same one is spent.
    assert_eq!(client.get("/api/b").status, 200);
    assert_eq!(client.get("/api/a").status, 429);
    let line = floodwall.logged(|line| line["path"] == "/api/a" && line["status"] == 200);
    assert_eq!(line["host"], "shop.example");
    assert_eq!(client.get("/users/7/x").status, 200);
    assert_eq!(app.last().target, "/u/7/x");
    assert_eq!(client.get("/users/x").status, 200);
    assert_eq!(app.last().target, "/users/x");
    let explained = floodwall.json(&["explain", "--json", "/api/c"]);
    assert_eq!(explained["rewritten"]["path"], "/v2/c");
    assert_eq!(explained["rewritten"]["host"], "app.internal:81");
    assert_eq!(explained["path"], "/api/c");
}

/// What a client's words come to is no other file's name than the rules have judged.
#[test]
fn a_path_that_is_put_together_has_one_spelling_too() {
    let (web, app) = (Loopback::free(), Origin::start());
    let _floodwall = Floodwall::start(&front(
        web,
        app.address(),
        "  - { name: joined, upstream: app, rewrite: { path_regex: { pattern: '^/j/([^/]*)-([^/]*)', replacement: '/in/$1/$2' } } }
",
    ));
    let client = Client::of(web);
    for (asked, seen) in [
        ("/j/a-b?c=/../d", "/in/a/b?c=/../d"),
        ("/j/-b", "/in/b"),
        ("/j/..x-b", "/in/..x/b"),
    ] {
        assert_eq!(client.get(asked).status, 200, "{asked}");
        assert_eq!(app.last().target, seen, "{asked}");
    }
    let before = app.count();
    for asked in ["/j/..-b", "/j/.-b", "/j/x-%2E%2e"] {
        assert_eq!(client.get(asked).status, 400, "{asked}");
    }
    assert_eq!(app.count(), before);
}
