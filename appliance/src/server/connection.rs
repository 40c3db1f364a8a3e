//! One client connection: who is at its other end, how far its present request is, and what it may still take.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
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
    phase: AtomicU8,
    /// Requests that are over.
    requests: AtomicU64,
    /// When the request that is under way must be over, on the host's clock; 0 is never.
    deadline: AtomicU64,
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

/// How far the present request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing of it has come yet.
    Idle,
    /// Its head is coming in: no phase of the proxy has seen it.
    Head,
    /// The proxy has it.
    Request,
}

/// A phase of one certain request of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub phase: Phase,
    pub request: u64,
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
            phase: AtomicU8::new(Phase::Idle as u8),
            requests: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
        })
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Request,
        }
    }

    /// Where the connection stands: timers of another moment mean nothing now.
    pub fn moment(&self) -> Moment {
        Moment {
            phase: self.phase(),
            request: self.requests.load(Relaxed),
        }
    }

    /// Moves to another phase. A connection is driven by one task, so no other order is needed.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// Bounds the request that is under way in all.
    pub fn finish_within(&self, span: Duration) {
        let deadline = self.host.now().plus(span.into());
        self.deadline.store(deadline.0, Relaxed);
    }

    /// The request is over; the next one may come.
    pub fn finished(&self) {
        self.deadline.store(0, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.enter(Phase::Idle);
    }

    /// How long the request that is under way may still take; nothing when it is not bounded.
    pub fn time_left(&self) -> Option<Duration> {
        match self.deadline.load(Relaxed) {
            0 => None,
            deadline => Some(
                floodwall_limiter::Nanos(deadline)
                    .minus(self.host.now())
                    .into(),
            ),
        }
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
