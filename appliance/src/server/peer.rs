//! Who is at the other end of a connection, as far as the connection itself tells.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Of a TCP connection.
    Direct(SocketAddr),
    /// Whom a load balancer in front says that it speaks for (PROXY protocol).
    Told(SocketAddr),
    /// A process of this host, over a unix socket.
    Local,
}

impl Peer {
    /// The address, an IPv4 one always as such; a process of this host has none.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Direct(address) | Self::Told(address) => Some(address.ip().to_canonical()),
            Self::Local => None,
        }
    }

    /// The address that limits count, unless a header tells a better one: a process of this host has the
    /// loopback's.
    pub fn counted_as(self) -> IpAddr {
        self.address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Whether packets from this address come to this host, so that the pre-filter could drop them.
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Direct(_))
    }
}

/// Somebody who asks directly, from any port.
impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self::Direct(SocketAddr::new(address, 0))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(address) | Self::Told(address) => address.fmt(f),
            Self::Local => f.write_str("unix"),
        }
    }
}
