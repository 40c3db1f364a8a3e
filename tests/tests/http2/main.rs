//! HTTP/2 towards clients: real ones, and ones that send any frame in any order.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::net::SocketAddr;

use floodwall_tests::{Floodwall, Loopback, Origin, Yaml};

mod clients;
mod floods;
mod grpc;
mod messages;
mod resets;
mod slow;
mod upstreams;

pub(crate) fn front(web: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners:
  web: { address: WEB, http2: true, timeouts: { header: 700ms, body: 700ms }, max: { header_bytes: 8KiB, headers: 50, uri: 1KiB } }
upstreams: { app: { servers: [ORIGIN] } }
routes:
  - { name: all, match: { path_prefix: / }, upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
}

/// A service in front of an origin.
pub(crate) fn start() -> (SocketAddr, Origin, Floodwall<'static>) {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, origin.address()));
    (web, origin, floodwall)
}
