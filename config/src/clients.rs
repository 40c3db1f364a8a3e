//! `clients`: who is asking, and how much of an address makes one client.

use ipnet::IpNet;

use crate::HeaderName;

/// How a request's client is told from its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Peers that may name somebody else as the client; never blocked.
    pub trusted_proxies: Vec<IpNet>,
    /// The header a trusted proxy names the client in, read from the right; present exactly when there is a
    /// trusted proxy.
    pub forwarded_header: Option<HeaderName>,
    /// Addresses that agree in so many leading bits are one client, 1 to 128.
    pub ipv6_prefix: u8,
    /// The same for IPv4, 1 to 32.
    pub ipv4_prefix: u8,
}
