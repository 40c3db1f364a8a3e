//! What comes before the first request: whom a load balancer speaks for, and the handshake of TLS.

use std::{io, sync::Arc};

use floodwall_limiter::Source;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    connection::{Connection, Rules},
    guard::Guard,
    line::Line,
    linger,
    peer::Peer,
    proxy_protocol::{self, Parsed},
    tls::{self, Acceptor},
    wire::Wire,
};
use crate::{blocks, early, host::Host};

mod failure;

pub use self::failure::{Failure, Failures};

/// A connection that nobody has heard yet.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub host: Arc<Host>,
    pub id: u64,
    pub peer: Peer,
    pub rules: Arc<Rules>,
}

/// The first byte of a record that carries a handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

const PLAIN_HTTP: early::Fault = early::Fault {
    status: 400,
    what: "this port speaks HTTPS, and the request came in the clear",
};

/// Brings a connection to where its first request may come. None: it has ended, which is counted.
pub(super) async fn arrive(line: Line, newcomer: Newcomer) -> Option<Guard> {
    let rules = &newcomer.rules;
    if !rules.proxy_protocol && rules.tls.is_none() {
        return Some(newcomer.at_the_door(Wire::Plain(line), None));
    }
    // In a box: a handshake's state is larger than all else of a connection's task, and lives shorter.
    Box::pin(prepare(line, newcomer)).await
}

async fn prepare(line: Line, newcomer: Newcomer) -> Option<Guard> {
    let (host, rules) = (Arc::clone(&newcomer.host), Arc::clone(&newcomer.rules));
    let peer = newcomer.peer;
    let failure = match timeout(rules.handshake, newcomer.begin(line)).await {
        Ok(Ok(guard)) => return Some(guard),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::TooSlow,
    };
    host.stats.requests.failures.one(&failure);
    tracing::debug!(listener = rules.listener, %peer, "no connection: {failure}");
    None
}

impl Newcomer {
    async fn begin(mut self, mut line: Line) -> Result<Guard, Failure> {
        let rules = Arc::clone(&self.rules);
        if rules.proxy_protocol {
            self.be_introduced(&mut line).await?;
        }
        match &rules.tls {
            None => Ok(self.at_the_door(Wire::Plain(line), None)),
            Some(acceptor) => self.shake_hands(line, acceptor).await,
        }
    }

    /// Reads who the connection is for, and judges it as accept does with those who come themselves.
    async fn be_introduced(&mut self, line: &mut Line) -> Result<(), Failure> {
        let generation = self.host.pin();
        let clients = &generation.clients;
        if let Some(address) = self.peer.address()
            && !clients.trusted.contains(address)
        {
            return Err(Failure::Stranger);
        }
        if let Some(source) = read_header(line).await? {
            self.peer = Peer::Told(source);
        }
        let Some(address) = self.peer.address() else {
            return Ok(());
        };
        if blocks::is_blocked(&self.host, clients, address, self.host.now()) {
            self.host.stats.requests.connections_refused_blocked.one();
            return Err(Failure::Blocked);
        }
        if !line
            .seat()
            .belongs_to(Source::of(address, clients.prefixes))
        {
            self.host.stats.requests.connections_refused_full.one();
            return Err(Failure::Full);
        }
        Ok(())
    }

    async fn shake_hands(self, line: Line, acceptor: &Acceptor) -> Result<Guard, Failure> {
        let mut first = [0; 1];
        match line.peek(&mut first, 0).await.map_err(Failure::of)? {
            0 => return Err(Failure::Closed),
            _ if first[0] == HANDSHAKE => {}
            // The first letter of a method.
            _ if first[0].is_ascii_uppercase() => return Err(self.turn_to_https(line).await),
            _ => return Err(Failure::NotTls),
        }
        let ja4 = if acceptor.fingerprints {
            fingerprint(&line).await?
        } else {
            None
        };
        let stream = match acceptor.engine().accept(line).into_fallible().await {
            Ok(stream) => stream,
            Err((error, line)) => {
                // Most clients are sending already when they are told what was wrong with them.
                tokio::spawn(linger::part(line));
                return Err(Failure::of(error));
            }
        };
        let session = acceptor.session(stream.get_ref().1, ja4);
        Ok(self.at_the_door(Wire::Tls(Box::new(stream)), Some(session)))
    }

    /// Tells a client that speaks plain HTTP what is wrong.
    async fn turn_to_https(self, mut line: Line) -> Failure {
        let connection = self.connection(None);
        let answer = early::answer(&connection, PLAIN_HTTP);
        // Best effort: a client that does not read its answer gets none.
        let _ = line.write_all(&answer).await;
        tokio::spawn(linger::part(line));
        Failure::PlainHttp
    }

    fn at_the_door(self, wire: Wire, session: Option<tls::Session>) -> Guard {
        let connection = self.connection(session);
        Guard::new(wire, connection)
    }

    fn connection(self, session: Option<tls::Session>) -> Arc<Connection> {
        Connection::new(self.host, self.id, self.peer, self.rules, session)
    }
}

/// Makes the fingerprint of a hello that is waiting to be read.
async fn fingerprint(line: &Line) -> Result<Option<String>, Failure> {
    let mut bytes = vec![0; tls::LONGEST_HELLO];
    let mut seen = 0;
    while seen < bytes.len() {
        seen = line.peek(&mut bytes, seen).await.map_err(Failure::of)?;
        if seen == 0 {
            return Err(Failure::Closed);
        }
        if let Some(made) = tls::ja4(&bytes[..seen]) {
            return Ok(made);
        }
    }
    Ok(None)
}

/// Takes the header from the beginning of a connection, and not a byte more.
async fn read_header(line: &mut Line) -> Result<Option<std::net::SocketAddr>, Failure> {
    let mut bytes = [0; proxy_protocol::LONGEST];
    let mut seen = 0;
    loop {
        seen = line.peek(&mut bytes, seen).await.map_err(Failure::of)?;
        if seen == 0 {
            return Err(Failure::Closed);
        }
        match proxy_protocol::parse(&bytes[..seen]) {
            Err(_) => return Err(Failure::NoHeader),
            Ok(Parsed::Partial) => {}
            Ok(Parsed::Whole { source, length }) => {
                let taken: io::Result<_> = line.read_exact(&mut bytes[..length]).await;
                return taken.map(|_| source).map_err(Failure::of);
            }
        }
    }
}
