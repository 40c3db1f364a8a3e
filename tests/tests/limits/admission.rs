//! Which requests a limit concerns, and what several of them come to.

use floodwall_tests::{Client, Floodwall, Loopback, Request, Response};

use crate::{limited, statuses};

#[test]
fn exceptions_give_some_keys_more_and_some_none() {
    let web = Loopback::free();
    let (one, other) = (Loopback::claim().ip(), Loopback::claim().ip());
    let [a, b, c, _] = other.octets();
    let limit = format!(
        "key: client, exceptions: {{ {one}: 5/d, {a}.{b}.{c}.0/24: unlimited, 0.0.0.0/8: 1/d }}"
    );
    let _floodwall = Floodwall::start(&limited(web, &limit).with("2/d, burst: 2", "2/d, burst: 2"));
    let request = Request::get("/");
    // The closest exception holds: the address before its own network.
    assert_eq!(statuses(Client::of(web).from(one), &request, 2), [200, 429]);
    assert_eq!(statuses(Client::of(web).from(other), &request, 9), [200; 9]);

    let web = Loopback::free();
    let limit =
        "key: header(user), exceptions: { ann: { rate: 4/d, burst: 4 }, bob: 0/s, eve: unlimited }";
    let _floodwall = Floodwall::start(&limited(web, limit));
    let of = |user: &str, times| {
        statuses(
            Client::of(web),
            &Request::get("/").header("user", user),
            times,
        )
    };
    assert_eq!(of("ann", 5), [200, 200, 200, 200, 429]);
    assert_eq!(of("bob", 1), [429]);
    assert_eq!(of("eve", 9), [200; 9]);
    assert_eq!(of("zoe", 3), [200, 200, 429]);
}

#[test]
fn a_limit_with_a_match_counts_only_what_matches() {
    let web = Loopback::free();
    let _floodwall = Floodwall::start(&limited(
        web,
        "key: client, match: { path_prefix: /login, methods: [POST] }",
    ));
    let client = Client::of(web);
    assert_eq!(statuses(client, &Request::get("/login"), 5), [200; 5]);
    assert_eq!(
        statuses(client, &Request::new("POST", "/logins"), 5),
        [200; 5]
    );
    assert_eq!(
        statuses(client, &Request::new("POST", "/login/now"), 3),
        [200, 200, 429]
    );
}

#[test]
fn a_limit_in_shadow_counts_and_never_refuses() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&limited(web, "key: client, shadow: true"));
    assert_eq!(statuses(Client::of(web), &Request::get("/"), 5), [200; 5]);
    let limit = &floodwall.status()["limits"][0];
    assert_eq!(
        [&limit["admitted"], &limit["shadowed"], &limit["refused"]],
        [2, 3, 0]
    );
}

/// The limit's name in a `RateLimit` field.
fn limit_of(response: &Response) -> &str {
    let field = response.header("ratelimit").expect("RateLimit is there");
    field.split('"').nth(1).expect("it names the limit")
}

#[test]
fn a_request_is_charged_by_all_its_limits_or_by_none() {
    let web = Loopback::free();
    let yaml = limited(web, "key: header(user)")
        .with(
            "limits:\n",
            "limits:\n  wide: { key: none, rate: 6/d, burst: 6 }\n",
        )
        .with("[narrow]", "[wide, narrow]");
    let floodwall = Floodwall::start(&yaml);
    let of = |user: &str, times| {
        statuses(
            Client::of(web),
            &Request::get("/").header("user", user),
            times,
        )
    };
    // Were the wide limit charged for what the narrow one refuses, nothing would be left after ann.
    assert_eq!(of("ann", 9), [200, 200, 429, 429, 429, 429, 429, 429, 429]);
    assert_eq!(of("bob", 3), [200, 200, 429]);
    assert_eq!(of("eve", 3), [200, 200, 429]);
    let response = Client::of(web).send(&Request::get("/").header("user", "zoe"));
    assert_eq!((response.status, limit_of(&response)), (429, "wide"));
    // And the narrow one was not charged for what the wide one refused.
    let explained = floodwall.json(&[
        "explain",
        "--json",
        "--header",
        "user:zoe",
        &format!("http://{web}/"),
    ]);
    assert_eq!(explained["limits"][1]["remaining"], 2, "{explained}");
    let limits = &floodwall.status()["limits"];
    assert_eq!([&limits[0]["admitted"], &limits[0]["refused"]], [6, 2]);
    assert_eq!([&limits[1]["admitted"], &limits[1]["refused"]], [6, 8]);
}

#[test]
fn explain_foretells_and_charges_nothing() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&limited(web, "key: client"));
    let url = format!("http://{web}/x");
    let explain = || floodwall.json(&["explain", "--json", "--client", "203.0.113.7", &url]);
    for _ in 0..5 {
        let explained = explain();
        assert_eq!(explained["route"], "all", "{explained}");
        assert_eq!(
            (
                &explained["limits"][0]["would"],
                &explained["limits"][0]["remaining"]
            ),
            (&"admit".into(), &2.into())
        );
    }
}
