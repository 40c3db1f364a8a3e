//! Breakers that are not closed: an open one goes on for as long as it had left, and one that tries tries again.

use serde::{Deserialize, Serialize};

use super::{
    part::Part,
    wall::{self, UnixMillis, Wall},
};
use crate::{host::Host, upstream::OpenBreaker};

/// The breakers of all upstreams and servers.
#[derive(Debug)]
pub(super) struct Breakers;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    breakers: Vec<Breaker>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Breaker {
    upstream: String,
    /// None for the breaker of the whole upstream.
    server: Option<String>,
    /// What it counted as bad: one that counts otherwise begins anew.
    counted: String,
    /// When it changed last.
    since: UnixMillis,
    /// When it is to try; in the past for one that tries.
    ends: UnixMillis,
}

impl Part for Breakers {
    const FILE: &'static str = "breakers.json";
    type Saved = Saved;

    fn present(host: &Host) -> Saved {
        let (wall, generation) = (Wall::at(host.now()), host.generation());
        let of_all = generation.upstreams().iter().flat_map(|upstream| {
            let open = upstream.open_breakers(wall.now).into_iter();
            open.map(move |breaker| Breaker {
                upstream: upstream.name.clone(),
                server: breaker.server,
                counted: breaker.counted,
                since: wall.of(breaker.since),
                // One that tries is not due a little later with each look.
                ends: wall.of(breaker.until.unwrap_or(breaker.since)),
            })
        });
        Saved {
            breakers: of_all.collect(),
        }
    }

    fn restore(host: &Host, saved: &Saved) {
        let (wall, generation) = (Wall::at(host.now()), host.generation());
        for breaker in &saved.breakers {
            let Some(index) = generation.upstream_named(&breaker.upstream) else {
                continue;
            };
            let upstream = generation.upstream(index);
            let open = OpenBreaker {
                server: breaker.server.clone(),
                counted: breaker.counted.clone(),
                since: wall.monotonic(breaker.since),
                until: Some(wall.monotonic(breaker.ends)),
            };
            if upstream.resume_breaker(&open, wall.now) {
                let whose = breaker.server.as_ref().unwrap_or(&breaker.upstream);
                tracing::info!("state: the breaker of {whose} is open as it was");
            }
        }
    }

    fn is_like(one: &Saved, other: &Saved) -> bool {
        one.breakers.len() == other.breakers.len()
            && (one.breakers.iter().zip(&other.breakers)).all(|(one, other)| {
                (&one.upstream, &one.server, &one.counted)
                    == (&other.upstream, &other.server, &other.counted)
                    && wall::alike(one.ends, other.ends)
            })
    }
}
