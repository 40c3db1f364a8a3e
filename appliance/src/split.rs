//! Which of a route's upstreams takes a request.
//!
//! A key's point is a hash without a secret, so that every host with the same route sends it the same way: SipHash-1-3
//! under a key of zeros, over the route's name, a zero byte, and the key's parts, each with its length. A share takes
//! the points below it; one that grows keeps all that it had.

use floodwall_config::{KeyPart, Split, Takes, UpstreamIndex};
use floodwall_limiter::Secret;

use crate::{key::Subject, route::matches};

/// The way that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The place of the arm in the file, from 0.
    pub arm: usize,
    pub upstream: UpstreamIndex,
}

/// The first arm that takes the request; none only if none takes what is left, which a checked file rules out.
pub fn choose(split: &Split, subject: &Subject<'_>) -> Option<Choice> {
    let mut point = None;
    let arm = split.arms.iter().position(|arm| match &arm.takes {
        Takes::When(rule) => matches(rule, &subject.request),
        Takes::Share { from, to } => {
            let point = *point.get_or_insert_with(|| point_of(subject, &split.sticky));
            (from.millionths()..to.millionths()).contains(&point)
        }
        Takes::Rest => true,
    })?;
    let upstream = split.arms[arm].upstream;
    Some(Choice { arm, upstream })
}

/// No secret: the same on every host.
const OPEN: Secret = Secret { k0: 0, k1: 0 };

/// Where a request's key lies, in millionths of the whole. A request that has none of the key's parts lies where its
/// client does.
fn point_of(subject: &Subject<'_>, key: &[KeyPart]) -> u32 {
    let there = |part: &KeyPart| *part == KeyPart::Client || subject.value(part).is_some();
    let key = if key.iter().any(there) {
        key
    } else {
        &[KeyPart::Client]
    };
    let mut pieces = OPEN.pieces();
    pieces.bytes(subject.route.as_bytes());
    pieces.bytes(&[0]);
    for part in key {
        subject.add(part, &mut pieces);
    }
    let point = (u128::from(pieces.finish()) * 1_000_000) >> 64;
    #[expect(clippy::cast_possible_truncation, reason = "below a million")]
    let point = point as u32;
    point
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use floodwall_config::{Action, Config};
    use floodwall_limiter::{Prefixes, Source};
    use http::HeaderMap;

    use super::*;
    use crate::{client::Client, request::RequestView};

    fn split(share: &str) -> Split {
        let text = format!(
            "
listeners: {{ web: {{ address: 127.0.0.1:8080 }} }}
upstreams: {{ a: {{ servers: [127.0.0.1:1] }}, b: {{ servers: [127.0.0.1:2] }}, c: {{ servers: [127.0.0.1:3] }} }}
routes:
  - name: all
    split:
      - {{ when: {{ headers: {{ x-canary: '*' }} }}, upstream: b }}
      - {{ share: {share}, sticky: cookie(uid), upstream: b }}
      - {{ share: 10%, sticky: cookie(uid), upstream: c }}
      - {{ upstream: a }}
"
        );
        let config = Config::from_text(&text, std::path::Path::new("f.yaml")).unwrap();
        match &config.routes[0].action {
            Action::Split(split) => split.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Where the split sends a request with this header from this client.
    fn sent(split: &Split, header: (&'static str, &str), client: Ipv4Addr) -> usize {
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1.parse().unwrap());
        let address = IpAddr::V4(client);
        let client = Client {
            address,
            source: Source::of(address, Prefixes { v4: 32, v6: 64 }),
            prefix: 32,
            direct: true,
            peer_is_trusted: false,
        };
        let subject = Subject {
            request: RequestView {
                method: "GET",
                host: "a",
                path: "/",
                query: None,
                headers: &headers,
            },
            client,
            client_key: client.key(OPEN),
            route: "all",
            connection: 7,
            tls: None,
        };
        choose(split, &subject).unwrap().upstream.0
    }

    fn keys(split: &Split) -> Vec<usize> {
        (0..10_000)
            .map(|uid| {
                let cookie = format!("uid=user-{uid}");
                sent(split, ("cookie", &cookie), Ipv4Addr::LOCALHOST)
            })
            .collect()
    }

    #[test]
    fn ten_thousand_keys_keep_to_the_shares() {
        let sent = keys(&split("5%"));
        let share = |upstream| {
            let of = sent.iter().filter(|sent| **sent == upstream).count();
            i64::try_from(of).unwrap()
        };
        for (upstream, of_ten_thousand) in [(0, 8_500), (1, 500), (2, 1_000)] {
            let found = share(upstream);
            assert!(
                (found - of_ten_thousand).abs() <= 100,
                "{upstream}: {found}"
            );
        }
    }

    #[test]
    fn growing_the_first_share_moves_nobody_back() {
        let (before, after) = (keys(&split("5%")), keys(&split("10%")));
        let moved_back = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| **before == 1 && **after != 1);
        assert_eq!(moved_back.count(), 0);
        let came = after.iter().filter(|sent| **sent == 1).count();
        assert!((900..=1100).contains(&came), "{came}");
    }

    #[test]
    fn a_point_is_the_same_on_every_host_and_in_every_version() {
        // Whoever changes the hash moves the users of every deployment: these numbers are a promise.
        let split = split("50%");
        let sent: Vec<usize> = (0..16)
            .map(|uid| {
                let cookie = format!("uid={uid}");
                sent(&split, ("cookie", &cookie), Ipv4Addr::LOCALHOST)
            })
            .collect();
        assert_eq!(sent, PROMISED);
    }

    const PROMISED: [usize; 16] = [0, 1, 1, 1, 0, 0, 2, 0, 1, 2, 2, 1, 2, 0, 1, 1];

    #[test]
    fn what_matches_an_earlier_arm_goes_there() {
        assert_eq!(
            sent(&split("0%"), ("x-canary", "1"), Ipv4Addr::LOCALHOST),
            1
        );
    }

    #[test]
    fn without_the_key_the_client_decides() {
        let split = split("50%");
        let clients: Vec<usize> = (0..=255)
            .map(|last| sent(&split, ("x", "y"), Ipv4Addr::new(192, 0, 2, last)))
            .collect();
        let there = clients.iter().filter(|sent| **sent == 1).count();
        assert!((90..=166).contains(&there), "{there} of 256");
    }
}
