//! Header rules with variables.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request};

use crate::front;

#[test]
fn variables_stand_for_parts_of_the_request_as_the_client_sent_it() {
    let (web, app) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(
        web,
        app.address(),
        "  - name: all
    upstream: app
    rewrite: { path_regex: { pattern: '.*', replacement: /other } }
    request_headers:
      set:
        x-who: '${client} ${peer} ${method} ${host} ${path} ${query}'
        x-where: '${listener} ${scheme} ${route} ${upstream} ${generation}'
        x-parts: '${header.user-agent}|${cookie.uid}|${query.name}'
        x-literal: 'a $${client} costs $5'
        x-id: '${request_id}'
      add: { x-a: 'b${header.x-a}' }
    response_headers: { set: { x-path: '${path}' } }
",
    ));
    let ip = Loopback::claim().ip();
    let request = Request::get("/a/b?name=J%C3%BCrgen+M&x=1")
        .host("shop.example:81")
        .header("user-agent", "tester")
        .header("cookie", "uid=7")
        .header("x-a", "1");
    let response = Client::of(web).from(ip).send(&request);
    assert_eq!(response.header("x-path"), Some("/a/b"));
    let seen = app.last();
    let who = format!("{ip} {ip} GET shop.example /a/b name=J%C3%BCrgen+M&x=1");
    assert_eq!(seen.header("x-who"), Some(who.as_str()));
    assert_eq!(seen.header("x-where"), Some("web http all app 1"));
    assert_eq!(seen.header("x-parts"), Some("tester|7|Jürgen M"));
    assert_eq!(seen.header("x-literal"), Some("a ${client} costs $5"));
    assert_eq!(seen.header("x-id"), seen.header("x-request-id"));
    assert_eq!(seen.header("x-a"), Some("1"));
    assert_eq!(floodwall.status()["requests"]["fields_dropped"], 0);
}

#[test]
fn no_request_can_put_a_line_into_a_header() {
    let (web, app) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(
        web,
        app.address(),
        "  - name: all
    upstream: app
    request_headers: { set: { x-user: '${query.user}' } }
    response_headers: { set: { x-user: '${query.user}' } }
",
    ));
    let client = Client::of(web);
    for (dropped, user) in ["a%0d%0ax-evil:%201", "a%0ab", "%00", "a%7f"]
        .iter()
        .enumerate()
    {
        // What the client says under that name must not pass for it either.
        let request = Request::get(&format!("/?user={user}")).header("x-user", "forged");
        let response = client.send(&request);
        assert_eq!(
            (response.status, response.header("x-user")),
            (200, None),
            "{user}"
        );
        let seen = app.last();
        assert_eq!(
            (seen.header("x-user"), seen.header("x-evil")),
            (None, None),
            "{user}"
        );
        let counted = &floodwall.status()["requests"]["fields_dropped"];
        assert_eq!(*counted, 2 * (dropped + 1), "{user}");
    }
    // Nothing to say is not said.
    client.send(&Request::get("/").header("x-user", "forged"));
    assert_eq!(app.last().header("x-user"), None);
}
