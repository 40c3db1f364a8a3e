//! The proxy: which request goes where, what the upstream is told, and what the client gets when it fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on may panic"
)]

use std::net::SocketAddr;

use floodwall_tests::Yaml;

mod answers;
mod drain;
mod failures;
mod forwarding;
mod hop;
mod interim;
mod large;
mod misbehaving;
mod nginx;
mod partial;
mod routing;
mod timeouts;

/// A file whose only route goes to `origin`.
pub(crate) fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
routes:
  - { name: all, match: { path_prefix: / }, upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
}
