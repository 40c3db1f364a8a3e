//! The limits of a whole generation under an injected clock.

use std::{
    net::IpAddr,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
};

use floodwall_config::{self as config, Config};
use floodwall_limiter::Nanos;
use http::{HeaderMap, HeaderValue};

use super::{Verdict, decide};
use crate::{
    access_log::AccessLog, boot::open_host, client, host::Host, key::Subject, request::RequestView,
};

const START: Nanos = Nanos::from_secs(1_000);

/// A host whose one route has these limits, and so many cells.
fn host(limits: &str, names: &str, cells: u32) -> Host {
    let text = format!(
        "listeners: {{ web: {{ address: 127.0.0.1:8080 }} }}
limits:
  {limits}
routes: [{{ name: all, limits: [{names}], respond: {{}} }}]
prefilter: {{ interfaces: [lo], mode: 'off', table: {{ sources: {cells} }} }}
"
    );
    let file = PathBuf::from("limits.yaml");
    let config = Config::from_text(&text, &file).unwrap();
    let log = AccessLog::open(&config::AccessLog::Off).unwrap();
    open_host(&file, config, log, false).unwrap()
}

/// Asks about so many requests of a user at `now`, one after the other, and tells `tell` what came of each.
fn ask(host: &Host, user: &str, times: u32, now: Nanos, mut tell: impl FnMut(Verdict<'_>)) {
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
    for _ in 0..times {
        tell(decide(host, &generation, &route.rule, &subject, now));
    }
}

/// How many of so many requests of a user are admitted at `now`.
fn admitted(host: &Host, user: &str, times: u32, now: Nanos) -> u32 {
    let mut admitted = 0;
    ask(host, user, times, now, |verdict| {
        admitted += u32::from(matches!(verdict, Verdict::Admitted(_)));
    });
    admitted
}

/// A request that panics while it is served, or while it waits, holds nothing any more.
#[test]
fn a_panic_gives_everything_back() {
    let limits = "slots: { key: header(user), concurrency: 2 }
  seats: { key: none, concurrency: 2, queue: { max_wait: 1h } }
  paced: { key: none, match: { headers: { user: bob } }, rate: 1/h, queue: { max_wait: 1d } }";
    let host = host(limits, "slots, seats, paced", 1024);
    let live = |name: &str| {
        let live = &host.stats.limit(name).live;
        [live.in_flight(), live.waiting()]
    };
    let panics = |user: &str, times: u32, holds: &dyn Fn(&Verdict<'_>)| {
        let work = || {
            let (mut asked, mut held) = (0, Vec::new());
            ask(&host, user, times, host.now(), |verdict| {
                asked += 1;
                if asked == times {
                    holds(&verdict);
                    panic!("as a bug would");
                }
                // Those before it are under way until the panic takes them, too.
                held.extend(match verdict {
                    Verdict::Admitted(admission) => Some(admission),
                    _ => None,
                });
            });
        };
        assert!(panic::catch_unwind(AssertUnwindSafe(work)).is_err());
    };
    panics("ann", 2, &|verdict| {
        assert!(matches!(verdict, Verdict::Admitted(_)));
        assert_eq!((live("slots"), live("seats")), ([2, 0], [2, 0]));
    });
    assert_eq!((live("slots"), live("seats")), ([0, 0], [0, 0]));
    assert_eq!(admitted(&host, "bob", 1, host.now()), 1);
    panics("bob", 1, &|verdict| {
        assert!(matches!(verdict, Verdict::Waits(_)), "{verdict:?}");
        assert_eq!(live("paced"), [0, 1]);
    });
    assert_eq!((live("slots"), live("paced")), ([0, 0], [0, 0]));
}

/// Hot parameters, as Sentinel calls them: each user has five a second and the one with an exception fifty, at the same
/// time, however many users there are. There are cells for eight times as many: of ten thousand users some fifteen share
/// a set of four cells with four others, and may lose theirs.
fn each_has_its_own(users: u32) {
    let limit = "per-user: { key: header(user), rate: 5/s, exceptions: { vip: { rate: 50/s, burst: 100 } } }";
    let host = host(limit, "per-user", (8 * users).max(4096));
    let of = |users: &mut dyn Iterator<Item = u32>, times: u32, now: Nanos| -> u32 {
        let of_one = |user: u32| admitted(&host, &format!("user-{user}"), times, now);
        users.map(of_one).sum()
    };
    let close = |found: u32, exact: u32| (exact..=exact + exact / 100).contains(&found);
    // Deeper in debt than anybody else, so that nobody takes this cell.
    assert_eq!(admitted(&host, "vip", 120, START), 100);
    let first = of(&mut (0..users), 6, START);
    assert!(close(first, 5 * users), "{first} of {users}");
    assert_eq!(admitted(&host, "vip", 120, START), 0);
    // A fifth of a second brings one more, and ten.
    let later = START.plus(Nanos::from_millis(200));
    let some = users.div_ceil(10);
    let second = of(&mut (0..users).step_by(10), 2, later);
    assert!(close(second, some), "{second} of {some}");
    assert_eq!(admitted(&host, "vip", 120, later), 10);
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
