//! Clients that are told to ask elsewhere.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request};

use crate::front;

#[test]
fn a_redirect_says_where_and_is_logged_as_what_the_client_asked() {
    let (web, app) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(
        web,
        app.address(),
        "  - { name: old, match: { path_prefix: /old }, redirect: { scheme: https, host: new.example, path_prefix: /new, status: 308 }, response_headers: { set: { x-route: '${route}' } } }
  - { name: home, match: { path: / }, redirect: { to: '/${cookie.lang}/home' } }
  - { name: back, match: { path: /back }, redirect: { to: '/go/${query.to}', query: drop } }
",
    ));
    let client = Client::of(web);
    let response = client.get("/old/a?b=c");
    assert_eq!(
        (response.status, response.header("location")),
        (308, Some("https://new.example/new/a?b=c"))
    );
    assert_eq!(response.header("x-route"), Some("old"));
    assert_eq!(response.header("content-length"), Some("0"));
    let response = client.send(&Request::get("/").header("cookie", "lang=de"));
    assert_eq!(
        (response.status, response.header("location")),
        (302, Some("/de/home"))
    );
    // What could end the field cannot stand in an address.
    let response = client.get("/back?to=a%0d%0ax-evil:%201");
    assert_eq!(response.header("location"), Some("/go/a%0D%0Ax-evil:%201"));
    assert_eq!(response.header("x-evil"), None);
    assert_eq!(app.count(), 0);
    let line = floodwall.logged(|line| line["path"] == "/old/a");
    assert_eq!(
        (&line["status"], &line["route"]),
        (&308.into(), &"old".into())
    );
    let explained = floodwall.json(&["explain", "--json", "http://shop.example/old/x?y"]);
    assert_eq!(
        explained["action"]["redirect"]["location"],
        "https://new.example/new/x?y"
    );
}
