//! The limits of a whole generation under an injected clock.

use std::{fmt::Write as _, net::IpAddr, path::PathBuf};

use floodwall_config::{self as config, Config};
use floodwall_limiter::Nanos;
use http::{HeaderMap, HeaderValue};

use super::{Verdict, decide};
use crate::{
    access_log::AccessLog, boot::open_host, client, host::Host, key::Subject, request::RequestView,
};

const START: Nanos = Nanos::from_secs(1_000);

/// A host with five requests a second for each user and fifty for one, and room for so many users.
fn host(users: u32) -> Host {
    let text = format!(
        "listeners: {{ web: {{ address: 127.0.0.1:8080 }} }}
limits: {{ per-user: {{ key: header(user), rate: 5/s, exceptions: {{ vip: 50/s }} }} }}
routes: [{{ name: all, limits: [per-user], respond: {{}} }}]
prefilter: {{ interfaces: [lo], mode: 'off', table: {{ sources: {} }} }}
",
        (4 * users).max(1024)
    );
    let file = PathBuf::from("users.yaml");
    let config = Config::from_text(&text, &file).unwrap();
    let log = AccessLog::open(&config::AccessLog::Off).unwrap();
    open_host(&file, config, log, false).unwrap()
}

/// Whether a request of a user is admitted at `now`.
fn admits(host: &Host, user: &str, now: Nanos) -> bool {
    let generation = host.generation();
    let mut headers = HeaderMap::new();
    headers.insert("user", HeaderValue::from_str(user).unwrap());
    let request = RequestView {
        method: "GET",
        host: "www.example.org",
        path: "/",
        query: None,
        headers: &headers,
    };
    let route = generation.router.find(&request).unwrap();
    let peer = IpAddr::from([192, 0, 2, 1]);
    let client = client::identify(&generation.clients, peer.into(), &headers);
    let subject = Subject {
        request,
        client,
        client_key: client.key(host.secret()),
        route: &route.rule.name,
        connection: 1,
        tls: None,
    };
    let verdict = decide(host, &generation, &route.rule, &subject, now);
    matches!(verdict, Verdict::Admitted(_))
}

/// Hot parameters, as Sentinel calls them: each user has five a second and the one with an exception fifty, at the same
/// time, however many users there are.
fn each_has_its_own(users: u32) {
    let host = host(users);
    let mut name = String::new();
    let mut of_all = |times: u32, now: Nanos| {
        let mut admitted = 0;
        for user in 0..users {
            name.clear();
            write!(name, "user-{user}").unwrap();
            admitted += (0..times).filter(|_| admits(&host, &name, now)).count();
        }
        u32::try_from(admitted).unwrap()
    };
    let of_vip = |now| (0..60).filter(|_| admits(&host, "vip", now)).count();
    // A bucket of one second each, and then what a fifth of a second brings. Keys that share a set of four cells with
    // four others may lose one of them, which is one of a hundred in a table of four times as many.
    let close = |found: u32, exact: u32| {
        found >= exact && u64::from(found - exact) * 100 <= u64::from(exact)
    };
    assert_eq!(of_vip(START), 50);
    let first = of_all(6, START);
    assert!(close(first, 5 * users), "{first} of {users}");
    assert_eq!(of_vip(START), 0);
    let later = START.plus(Nanos::from_millis(200));
    let second = of_all(1, later);
    assert!(close(second, users), "{second} of {users}");
    assert_eq!(of_vip(later), 10);
    let refused = of_all(1, later);
    assert!(refused * 100 <= users, "{refused} of {users}");
}

#[test]
fn a_user_has_five_a_second_and_the_excepted_one_fifty() {
    each_has_its_own(1);
}

#[test]
fn a_thousand_users_do_so_at_once() {
    each_has_its_own(1_000);
}

#[test]
fn a_million_users_do_so_at_once() {
    each_has_its_own(1_000_000);
}
