//! Every part of a key tells requests apart, and nothing else does.

use floodwall_tests::{Client, Floodwall, Loopback, Request};

use crate::{limited, statuses};

/// Asserts that a limit by `key` counts `same` with `first`, and `other` apart from both.
fn assert_counts_apart(key: &str, first: &Request, same: &Request, other: &Request) {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, &format!("key: {key}")));
    let client = Client::of(web);
    assert_eq!(statuses(client, first, 1), [200], "{key}");
    assert_eq!(
        statuses(client, same, 2),
        [200, 429],
        "{key}: {same:?} is not counted with {first:?}"
    );
    assert_eq!(
        statuses(client, other, 3),
        [200, 200, 429],
        "{key}: {other:?} is not counted apart"
    );
    assert_eq!(statuses(client, first, 1), [429], "{key}");
}

#[test]
fn every_part_of_a_key_tells_requests_apart() {
    let get = Request::get;
    assert_counts_apart(
        "header(user)",
        &get("/a").header("user", "ann"),
        &get("/b").header("User", "ann").host("b"),
        &get("/a").header("user", "bob"),
    );
    assert_counts_apart(
        "cookie(uid)",
        &get("/").header("Cookie", "uid=1; a=b"),
        &get("/x").header("Cookie", "c=d; uid=1"),
        &get("/").header("Cookie", "uid=2; a=b"),
    );
    assert_counts_apart(
        "query(page)",
        &get("/?page=1"),
        &get("/x?a=b&page=1"),
        &get("/?page=2"),
    );
    assert_counts_apart("path", &get("/a?q=1"), &get("/a?q=2"), &get("/a/"));
    assert_counts_apart(
        "host",
        &get("/").host("A.example.org"),
        &get("/x").host("a.example.org:80"),
        &get("/").host("b.example.org"),
    );
    assert_counts_apart(
        "method",
        &get("/"),
        &get("/x"),
        &Request::new("DELETE", "/"),
    );
    assert_counts_apart(
        "[path, header(user)]",
        &get("/a").header("user", "ann"),
        &get("/a?x=1").header("user", "ann"),
        &get("/b").header("user", "ann"),
    );
    // Parts do not run into each other: "a" and "bc" are not "ab" and "c".
    assert_counts_apart(
        "[header(x), header(y)]",
        &get("/").header("x", "a").header("y", "bc"),
        &get("/").header("y", "bc").header("x", "a"),
        &get("/").header("x", "ab").header("y", "c"),
    );
}

#[test]
fn requests_without_the_named_part_share_one_budget() {
    assert_counts_apart(
        "header(user)",
        &Request::get("/a"),
        &Request::get("/b").host("elsewhere"),
        &Request::get("/").header("user", ""),
    );
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: header(user), absent: skip"));
    assert_eq!(statuses(Client::of(web), &Request::get("/"), 5), [200; 5]);
    let ann = Request::get("/").header("user", "ann");
    assert_eq!(statuses(Client::of(web), &ann, 3), [200, 200, 429]);
}

#[test]
fn clients_are_told_apart_by_address() {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: client"));
    let (one, two) = (Loopback::claim().ip(), Loopback::claim().ip());
    let request = Request::get("/");
    assert_eq!(
        statuses(Client::of(web).from(one), &request, 3),
        [200, 200, 429]
    );
    assert_eq!(
        statuses(Client::of(web).from(two), &request, 3),
        [200, 200, 429]
    );
}

#[test]
fn ipv6_clients_count_as_their_64() {
    let (web, proxy) = (Loopback::free(), Loopback::claim().ip());
    let yaml =
        limited(web, "key: client").and(&format!("clients: {{ trusted_proxies: [{proxy}] }}\n"));
    let _floodwall = Floodwall::start(&yaml);
    let of = |address: &str| {
        let request = Request::get("/").header("X-Forwarded-For", address);
        Client::of(web).from(proxy).send(&request).status
    };
    let one_network = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1::3"];
    assert_eq!(one_network.map(of), [200, 200, 429]);
    assert_eq!(of("2001:db8:0:2::1"), 200);
}

#[test]
fn one_budget_for_all_is_one_budget_for_all() {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: none"));
    let from_anywhere =
        [0; 3].map(|_| Client::of(web).from(Loopback::claim().ip()).get("/").status);
    assert_eq!(from_anywhere, [200, 200, 429]);
}

#[test]
fn a_route_and_a_connection_are_keys_too() {
    let web = Loopback::free();
    let yaml = limited(web, "key: route").with(
        "  - { name: all,",
        "  - { name: special, match: { path: /special }, limits: [narrow], respond: { body: ok } }\n  - { name: all,",
    );
    let _floodwall = Floodwall::start(&yaml);
    let client = Client::of(web);
    assert_eq!(
        statuses(client, &Request::get("/special"), 3),
        [200, 200, 429]
    );
    assert_eq!(
        statuses(client, &Request::get("/other"), 3),
        [200, 200, 429]
    );

    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(web, "key: connection"));
    for _ in 0..2 {
        let mut connection = Client::of(web).connect().expect("a connection");
        let statuses = [0; 3].map(|_| connection.get("/").expect("a response").status);
        assert_eq!(statuses, [200, 200, 429]);
    }
}
