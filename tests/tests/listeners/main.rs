//! Where clients come in: TLS, unix sockets and the PROXY protocol, with clients that others wrote.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on may panic"
)]

use std::net::SocketAddr;

use floodwall_tests::{Issued, Yaml};

mod certificates;
mod clients;
mod cut_short;
mod files;
mod fingerprints;
mod handshakes;
mod proxy_protocol;
mod sessions;
mod unix;

/// A listener with these certificates and `more` of `tls`, whose only route answers `hello`.
pub(crate) fn secure(web: SocketAddr, certificates: &[&Issued], more: &str) -> Yaml {
    let all: Vec<_> = certificates.iter().map(|issued| issued.yaml()).collect();
    Yaml::new(
        "listeners:
  web:
    address: WEB
    timeouts: { handshake: HANDSHAKE }
    tls: { certificates: [CERTIFICATES]MORE }
routes: [{ name: all, respond: { status: 200, body: hello } }]
",
    )
    .with("WEB", web)
    .with("HANDSHAKE", "10s")
    .with("CERTIFICATES", all.join(", "))
    .with("MORE", more)
}
