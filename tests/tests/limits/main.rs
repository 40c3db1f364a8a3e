//! Limits of requests: who is counted under which key, how exactly, and what a refusal says.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::net::SocketAddr;

use floodwall_tests::{Client, Request, Yaml};

mod accuracy;
mod admission;
mod counted;
mod edge;
mod explained;
mod keys;
mod refusals;
mod shapes;
mod standing;
mod together;
mod waiting;

/// A file with one limit that admits two requests, and no third one for an hour.
pub(crate) fn limited(web: SocketAddr, limit: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
limits:
  narrow: { LIMIT, rate: 2/d, burst: 2 }
routes:
  - { name: all, match: { path_prefix: / }, limits: [narrow], respond: { body: ok } }
",
    )
    .with("WEB", web)
    .with("LIMIT", limit)
}

/// Sends the same request again and again, and returns the statuses.
pub(crate) fn statuses(client: Client, request: &Request, times: usize) -> Vec<u16> {
    (0..times).map(|_| client.send(request).status).collect()
}
