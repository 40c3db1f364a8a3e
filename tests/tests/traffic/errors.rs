//! What clients are shown instead of errors.

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Request, Yaml};

#[test]
fn a_page_stands_for_an_error_and_if_told_for_the_upstreams_too() {
    let (web, app) = (Loopback::free(), Origin::start());
    let nobody = Loopback::free();
    let yaml = Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [APP] }, gone: { servers: [GONE] } }
routes:
  - { name: gone, match: { path_prefix: /gone }, upstream: gone }
  - { name: own, match: { path_prefix: /own }, upstream: gone, errors: { '502': { body: own } } }
  - { name: kept, match: { path_prefix: /kept }, upstream: app, errors: { 5xx: { body: never } } }
  - { name: app, match: { path_prefix: /app }, upstream: app }
errors:
  '502': { status: 503, headers: { x-page: one, content-type: text/html }, body: '<p>sorry</p>' }
  5xx: { body: all, intercept: true }
  '404': { body: nothing here }
",
    )
    .with("WEB", web)
    .with("APP", app.address())
    .with("GONE", nobody);
    let floodwall = Floodwall::start(&yaml);
    let client = Client::of(web);
    let response = client.get("/gone");
    assert_eq!(
        (response.status, response.body.as_str()),
        (503, "<p>sorry</p>")
    );
    assert_eq!(
        (response.header("x-page"), response.header("content-type")),
        (Some("one"), Some("text/html"))
    );
    let response = client.send(&Request::new("HEAD", "/gone"));
    assert_eq!(
        (response.status, response.header("content-length")),
        (503, Some("12"))
    );
    let response = client.get("/own");
    assert_eq!((response.status, response.body.as_str()), (502, "own"));
    let response = client.get("/no-route");
    assert_eq!(
        (response.status, response.body.as_str()),
        (404, "nothing here")
    );
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    // The upstream's own errors: replaced where the page says so, and nowhere else.
    app.be(Mood::Status(500));
    let response = client.get("/app");
    assert_eq!((response.status, response.body.as_str()), (500, "all"));
    assert_eq!(response.header("x-origin"), None);
    let line = floodwall.logged(|line| line["path"] == "/app");
    assert_eq!(line["error"], "a page stands for the upstream's answer");
    let response = client.get("/kept");
    assert_eq!(
        (response.status, response.header("x-origin")),
        (500, Some("yes"))
    );
    app.be(Mood::Status(404));
    assert_eq!(client.get("/app").header("x-origin"), Some("yes"));
    app.be(Mood::Well);
    assert_eq!(client.get("/app").status, 200);
}
