//! `upstreams.NAME`: the servers behind the door.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use floodwall_limiter::Nanos;

/// A group of servers that answer the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    pub name: String,
    /// At least one; addresses are unique.
    pub servers: Vec<Server>,
    pub balance: Balance,
    pub timeouts: UpstreamTimeouts,
    pub retries: Retries,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub address: SocketAddr,
    /// How many turns it gets beside the others, 1 to 1000.
    pub weight: NonZeroU32,
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn, each as often as its weight says.
    RoundRobin,
}

/// How long an upstream may take; each is at least 1 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// To open a connection.
    pub connect: Nanos,
    /// Between two reads of a response.
    pub read: Nanos,
    /// For one write of a request.
    pub write: Nanos,
    /// How long an unused connection is kept.
    pub idle: Nanos,
}

/// What is tried again. Today that is a connection that could not be opened: nothing was sent yet, so any
/// method may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many more servers are tried after the first; 0 tries no other.
    pub attempts: u32,
}
