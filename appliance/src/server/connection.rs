//! One client connection: who is at its other end, and what it may take.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use floodwall_config as config;
use http::HeaderValue;

use super::{
    pace::Allowance,
    peer::Peer,
    tls::{Acceptor, Session},
};
use crate::{host::Host, proxy::Joined};

/// What the proxy's phases and the connection's stream know of each other.
#[derive(Debug)]
pub struct Connection {
    pub host: Arc<Host>,
    /// A number that no other connection of this process has.
    pub id: u64,
    pub peer: Peer,
    /// The peer's address as header fields write it, if it has one.
    pub peer_field: Option<HeaderValue>,
    pub rules: Arc<Rules>,
    /// What gets the connection when the engine is done with its last request.
    successor: Mutex<Option<Box<Joined>>>,
    /// None when it is in the clear.
    pub tls: Option<Session>,
}

/// What a listener grants its connections.
#[derive(Debug)]
pub struct Rules {
    pub listener: String,
    /// None: in the clear.
    pub tls: Option<Arc<Acceptor>>,
    /// Every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// For all that comes before the first request.
    pub handshake: Duration,
    pub header: Duration,
    pub body: Duration,
    /// Of a request's body, in bytes a second; without a bound when absent.
    pub body_rate: Option<u64>,
    pub idle: Duration,
    pub write: Duration,
    pub header_bytes: u64,
    pub headers: usize,
    pub target: usize,
    pub body_bytes: Option<u64>,
    /// Whether a plaintext connection may speak HTTP/2.
    pub http2: bool,
    /// HTTP/2 streams of one connection at one time.
    pub streams: u32,
}

impl Rules {
    /// How long a client may keep everybody waiting for a body.
    pub fn allowance(&self) -> Allowance {
        Allowance {
            grace: self.body,
            rate: self.body_rate,
        }
    }

    pub fn new(listener: &config::Listener, tls: Option<&Arc<Acceptor>>) -> Self {
        let config::ListenerTimeouts {
            handshake,
            header,
            body,
            body_rate,
            idle,
            write,
        } = listener.timeouts;
        Self {
            listener: listener.name.clone(),
            tls: tls.map(Arc::clone),
            proxy_protocol: listener.proxy_protocol,
            handshake: handshake.into(),
            header: header.into(),
            body: body.into(),
            body_rate,
            idle: idle.into(),
            write: write.into(),
            header_bytes: listener.max.header_bytes,
            headers: usize::try_from(listener.max.headers).unwrap_or(usize::MAX),
            target: usize::try_from(listener.max.uri).unwrap_or(usize::MAX),
            body_bytes: listener.max.body,
            http2: listener.http2,
            streams: listener.max.streams,
        }
    }
}

impl Connection {
    pub fn new(
        host: Arc<Host>,
        id: u64,
        peer: Peer,
        rules: Arc<Rules>,
        tls: Option<Session>,
    ) -> Arc<Self> {
        host.stats.requests.connections_open.enter();
        Arc::new(Self {
            host,
            id,
            peer,
            peer_field: peer
                .address()
                // An address in words is visible ASCII.
                .and_then(|address| HeaderValue::from_str(&address.to_string()).ok()),
            rules,
            tls,
            successor: Mutex::default(),
        })
    }

    /// Says who gets the connection when the engine is done with the present request.
    pub fn succeed(&self, successor: Box<Joined>) {
        *self.lock() = Some(successor);
    }

    /// Who gets the connection now; nobody while there are requests on it.
    pub fn successor(&self) -> Option<Box<Joined>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Joined>>> {
        // Only whole values are put under this lock.
        self.successor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// The scheme of what is asked for over it.
    pub fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.host.stats.requests.connections_open.leave();
    }
}
