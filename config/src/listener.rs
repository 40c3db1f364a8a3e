//! `listeners.NAME`: where clients come in, and what one connection may take.

use std::net::SocketAddr;
use std::path::PathBuf;

use floodwall_limiter::Nanos;

/// One address that serves HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    pub name: String,
    pub address: ListenAddress,
    pub timeouts: ListenerTimeouts,
    pub max: ListenerMax,
}

/// What a listener binds.
///
/// Today's reader gives only [`ListenAddress::Tcp`]: `unix:PATH` is in the contract but not built yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port that is not 0.
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// How long a client may take; each is at least 1 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// From a request's first byte to the end of its header, in all.
    pub header: Nanos,
    /// Between two reads of a request's body.
    pub body: Nanos,
    /// Between two requests of one connection.
    pub idle: Nanos,
    /// For one write of the response.
    pub write: Nanos,
}

/// How much a client may send or hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerMax {
    /// The whole request header, in bytes.
    pub header_bytes: u64,
    /// The number of header fields.
    pub headers: u32,
    /// The request target, in bytes.
    pub uri: u64,
    /// One request body, in bytes; without a bound when absent.
    pub body: Option<u64>,
    /// Connections of this listener at one time; without a bound when absent.
    pub connections: Option<u64>,
    /// Connections of one client at one time; without a bound when absent.
    pub connections_per_client: Option<u64>,
}
