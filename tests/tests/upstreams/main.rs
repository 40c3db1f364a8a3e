//! Upstreams that fail: what is tried again, when an upstream is asked no more, and how much it is asked at once.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Yaml};
use serde_json::Value;

mod balance;
mod breaker;
mod health;
mod in_flight;
mod names;
mod outlier;
mod pool;
mod retries;
mod sockets;
mod tls;

/// A file whose only route goes to these servers, with `more` of the upstream's keys.
pub(crate) fn front(web: SocketAddr, servers: &[SocketAddr], more: &str) -> Yaml {
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams:
  app:
    servers: [SERVERS]
    MORE
routes:
  - { name: all, upstream: app }
server: { threads: 2 }
",
    )
    .with("WEB", web)
    .with("SERVERS", servers.join(", "))
    .with("MORE", more)
}

/// The statuses of so many requests, one after the other.
pub(crate) fn statuses(web: SocketAddr, count: usize, target: &str) -> Vec<u16> {
    (0..count)
        .map(|_| Client::of(web).get(target).status)
        .collect()
}

/// What `status` says of the upstream.
pub(crate) fn upstream(floodwall: &Floodwall<'_>) -> Value {
    floodwall.status()["upstreams"][0].clone()
}
