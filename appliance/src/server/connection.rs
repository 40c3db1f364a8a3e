//! One client connection: who is at its other end, and what it may take.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use floodwall_config as config;
use http::HeaderValue;

use crate::host::Host;

/// What the proxy's phases and the connection's stream know of each other.
#[derive(Debug)]
pub struct Connection {
    pub host: Arc<Host>,
    /// A number that no other connection of this process has.
    pub id: u64,
    pub peer: SocketAddr,
    /// The peer's address as header fields write it.
    pub peer_field: HeaderValue,
    pub rules: Arc<Rules>,
}

/// What a listener grants its connections.
#[derive(Debug)]
pub struct Rules {
    pub listener: String,
    pub header: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub write: Duration,
    pub header_bytes: u64,
    pub headers: usize,
    pub target: usize,
    pub body_bytes: Option<u64>,
}

impl From<&config::Listener> for Rules {
    fn from(listener: &config::Listener) -> Self {
        let config::ListenerTimeouts {
            header,
            body,
            idle,
            write,
        } = listener.timeouts;
        Self {
            listener: listener.name.clone(),
            header: header.into(),
            body: body.into(),
            idle: idle.into(),
            write: write.into(),
            header_bytes: listener.max.header_bytes,
            headers: usize::try_from(listener.max.headers).unwrap_or(usize::MAX),
            target: usize::try_from(listener.max.uri).unwrap_or(usize::MAX),
            body_bytes: listener.max.body,
        }
    }
}

impl Connection {
    pub fn new(host: Arc<Host>, id: u64, peer: SocketAddr, rules: Arc<Rules>) -> Arc<Self> {
        host.stats.requests.connections_open.enter();
        Arc::new(Self {
            host,
            id,
            peer,
            peer_field: address_field(peer.ip()),
            rules,
        })
    }
}

fn address_field(address: IpAddr) -> HeaderValue {
    // An address in words is visible ASCII.
    HeaderValue::from_str(&address.to_canonical().to_string())
        .unwrap_or(HeaderValue::from_static("unknown"))
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.host.stats.requests.connections_open.leave();
    }
}
