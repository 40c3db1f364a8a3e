//! HTTP/2 towards clients: one connection, a task for each of its streams, and the order in which both end.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::{Reason, server};
use http::Method;
use pingora_core::protocols::{
    Digest, GetSocketDigest, Ssl, Stream,
    http::v2::server::{H2Accept, H2Options, HttpSession, handshake},
};
use pingora_error::Error;
use pingora_proxy::HttpProxy;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    body::Framing,
    connection::{Connection, Rules},
    guard::Guard,
    progress::Phase,
};
use crate::{early, proxy::Proxy};

mod frames;
mod gate;
mod preface;
mod stream;

pub use frames::Offence;
pub use preface::ALPN;
pub(super) use preface::begins;
pub use stream::{Origin, origin};

use gate::{Alarm, Gate};
use stream::After;

/// How long a connection that ends has for its last words.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// How long a client has to take note of a GOAWAY when it has nothing under way.
const FAREWELL: Duration = Duration::from_secs(2);

/// Malformed requests of one connection that are answered; then it ends.
const MOST_MALFORMED: u32 = 32;

/// Streams of one connection that were reset for the client's mistakes; then it ends.
const MOST_MISTAKES: usize = 100;

/// What a client may send of one body before it is taken, and of all of its bodies.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of one response that wait for the client to take them, beyond its windows.
const SEND_BUFFER: usize = 64 << 10;

fn options(rules: &Rules) -> H2Options {
    let mut options = H2Options::default();
    options
        .max_concurrent_streams(rules.streams)
        .max_header_list_size(u32::try_from(rules.header_bytes).unwrap_or(u32::MAX))
        .max_local_error_reset_streams(Some(MOST_MISTAKES))
        // The gate has a budget for them. One read may bring as many as there may be streams.
        .max_pending_accept_reset_streams(usize::try_from(rules.streams).unwrap_or(usize::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    options
}

/// Serves one connection until its client leaves, is idle for too long, or must go.
pub(super) async fn serve(
    guard: Guard,
    proxy: Arc<HttpProxy<Proxy>>,
    leave: watch::Receiver<bool>,
) {
    let connection = Arc::clone(guard.connection());
    // What the guard does for heads and their deadlines, it does for HTTP/1. From here on the gate does it.
    guard.progress().enter(Phase::Request);
    guard.progress().expect(Framing::Open);
    let digest = Arc::new(Digest {
        ssl_digest: guard.get_ssl_digest(),
        socket_digest: guard.get_socket_digest(),
        ..Digest::default()
    });
    let (gate, alarm) = Gate::new(guard);
    let hello = handshake(Box::new(gate), Some(options(&connection.rules)));
    let Ok(Ok(engine)) = timeout(connection.rules.header, hello).await else {
        return;
    };
    let conversation = Conversation {
        connection,
        proxy,
        leave,
        digest,
        engine,
        streams: JoinSet::new(),
        malformed: 0,
        leaving: false,
    };
    conversation.hold(&alarm).await;
}

/// What the client is told about the end of its connection.
fn reason(offence: Offence) -> Reason {
    match offence {
        Offence::Protocol => Reason::PROTOCOL_ERROR,
        _ => Reason::ENHANCE_YOUR_CALM,
    }
}

/// Whether the codec has ended a connection for what the client did. It has told the client.
fn is_of_the_client(error: &Error) -> bool {
    let cause = error.root_cause().downcast_ref::<h2::Error>();
    cause.is_some_and(h2::Error::is_library)
}

/// A connection with all its streams.
struct Conversation {
    connection: Arc<Connection>,
    proxy: Arc<HttpProxy<Proxy>>,
    leave: watch::Receiver<bool>,
    digest: Arc<Digest>,
    engine: server::Connection<Stream, Bytes>,
    streams: JoinSet<After>,
    malformed: u32,
    /// The client was told to open no more streams.
    leaving: bool,
}

impl Conversation {
    async fn hold(mut self, alarm: &Alarm) {
        if *self.leave.borrow_and_update() {
            self.farewell();
        }
        let end = self.converse(alarm).await;
        // Each stream finds out by itself, and has its line in the log.
        self.streams.detach_all();
        if let Some(reason) = end {
            self.engine.abrupt_shutdown(reason);
            self.last_words().await;
        }
    }

    /// Serves streams until the connection is over, or comes back with the reason to end it.
    async fn converse(&mut self, alarm: &Alarm) -> Option<Reason> {
        let mut quiet = pin!(sleep(self.patience()));
        loop {
            tokio::select! {
                biased;
                offence = alarm.raised() => {
                    self.connection.host.stats.requests.offences.one(offence);
                    tracing::debug!(peer = %self.connection.peer, offence = offence.name(), "ends a connection");
                    return Some(reason(offence));
                }
                _ = self.leave.changed(), if !self.leaving => {
                    self.farewell();
                    quiet.as_mut().reset(Instant::now() + self.patience());
                }
                Some(ended) = self.streams.join_next() => {
                    if matches!(ended, Ok(After::End)) {
                        self.last_words().await;
                        return Some(Reason::ENHANCE_YOUR_CALM);
                    }
                    quiet.as_mut().reset(Instant::now() + self.patience());
                }
                () = &mut quiet, if self.streams.is_empty() => {
                    if self.leaving {
                        return Some(Reason::NO_ERROR);
                    }
                    self.farewell();
                    quiet.as_mut().reset(Instant::now() + self.patience());
                }
                accepted = HttpSession::from_h2_conn(&mut self.engine, Arc::clone(&self.digest)) => {
                    match accepted {
                        Ok(Some(H2Accept::Session(session))) => self.begin(session),
                        Ok(Some(H2Accept::Rejected)) if self.malformed >= MOST_MALFORMED => {
                            return Some(Reason::ENHANCE_YOUR_CALM);
                        }
                        Ok(Some(H2Accept::Rejected)) => {
                            self.malformed += 1;
                            early::note(&self.connection, early::MALFORMED_STREAM);
                        }
                        Ok(None) => return None,
                        Err(error) => {
                            if is_of_the_client(&error) {
                                self.connection.host.stats.requests.offences.one(Offence::Protocol);
                            }
                            return None;
                        }
                    }
                }
            }
        }
    }

    fn begin(&mut self, session: HttpSession) {
        let connection = Arc::clone(&self.connection);
        if session.req_header().method == Method::CONNECT {
            self.streams
                .spawn(stream::refuse(session, connection, early::NOT_A_TUNNEL));
            return;
        }
        let (proxy, leave) = (Arc::clone(&self.proxy), self.leave.clone());
        self.streams
            .spawn(stream::serve(session, connection, proxy, leave));
    }

    /// Tells the client to open no more streams. Those that it has opened are finished (RFC 9113, 6.8).
    fn farewell(&mut self) {
        self.leaving = true;
        self.engine.graceful_shutdown();
    }

    /// How long a connection without streams is kept.
    fn patience(&self) -> Duration {
        if self.leaving {
            FAREWELL
        } else {
            self.connection.rules.idle
        }
    }

    /// Writes what is ready to be written, and takes nothing new.
    async fn last_words(&mut self) {
        let engine = HttpSession::from_h2_conn(&mut self.engine, Arc::clone(&self.digest));
        // Whatever comes of it, it is over.
        let _ = timeout(LAST_WORDS, engine).await;
    }
}
