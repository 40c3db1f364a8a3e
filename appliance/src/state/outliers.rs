//! Servers that are left out for a while, and how long their next time would be.

use floodwall_limiter::shape::outlier::Past;
use serde::{Deserialize, Serialize};

use super::{
    part::Part,
    wall::{self, UnixMillis, Wall},
};
use crate::host::Host;

/// The servers of all upstreams.
#[derive(Debug)]
pub(super) struct Outliers;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    servers: Vec<Server>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Server {
    upstream: String,
    address: String,
    /// The end of its last time out.
    ends: UnixMillis,
    /// How many times out that one was as long as.
    times: u64,
}

impl Part for Outliers {
    const FILE: &'static str = "outliers.json";
    type Saved = Saved;

    fn present(host: &Host) -> Saved {
        let (wall, generation) = (Wall::at(host.now()), host.generation());
        let of_all = generation.upstreams().iter().flat_map(|upstream| {
            let pasts = upstream.servers_with_a_past(wall.now).into_iter();
            pasts.map(move |(address, past)| Server {
                upstream: upstream.name.clone(),
                address,
                ends: wall.of(past.until),
                times: past.times,
            })
        });
        Saved {
            servers: of_all.collect(),
        }
    }

    fn restore(host: &Host, saved: &Saved) {
        let (wall, generation) = (Wall::at(host.now()), host.generation());
        for server in &saved.servers {
            let Some(index) = generation.upstream_named(&server.upstream) else {
                continue;
            };
            let upstream = generation.upstream(index);
            let past = Past {
                until: wall.monotonic(server.ends),
                times: server.times,
            };
            if upstream.resume_server(&server.address, past, wall.now) && past.until > wall.now {
                tracing::info!("state: {} is left out as it was", server.address);
            }
        }
    }

    fn is_like(one: &Saved, other: &Saved) -> bool {
        one.servers.len() == other.servers.len()
            && (one.servers.iter().zip(&other.servers)).all(|(one, other)| {
                (&one.upstream, &one.address, one.times)
                    == (&other.upstream, &other.address, other.times)
                    && wall::alike(one.ends, other.ends)
            })
    }
}
