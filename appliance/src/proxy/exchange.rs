//! What is known of one request, from its first phase to its line in the log.

use std::{sync::Arc, time::Duration};

use floodwall_config as config;
use floodwall_limiter::Nanos;
use pingora_error::{Error, ErrorType, Result};
use smallvec::SmallVec;

use super::report;
use crate::{
    access_log::Verdict,
    admission::Admission,
    client::Client,
    compress::Encoder,
    generation::Generation,
    host::{Host, RequestId},
    mirror::Copy,
    protection::{Pass, Shed},
    route::Route,
    server::{connection::Connection, progress::Progress},
    upstream::{
        Attempt, Endpoint, Entry, Outcome, Place, Upstream,
        pool::{Opening, Seat},
    },
};

/// One request and its response.
#[derive(Debug)]
pub struct Exchange {
    /// The generation that the request began with, and keeps.
    pub(super) generation: Arc<Generation>,
    pub(super) connection: Option<Arc<Connection>>,
    pub(super) progress: Option<Arc<Progress>>,
    /// What the log says of a request whose session is gone by then: one stream among others may be given up.
    pub(super) line: Option<Box<Line>>,
    /// When its header was complete. Blocks and limits are asked as of this moment.
    pub(super) begun: Nanos,
    pub(super) client: Option<Client>,
    pub(super) route: Option<Arc<Route>>,
    pub(super) verdict: Verdict,
    /// The limit that refused.
    pub(super) refused_by: Option<config::LimitIndex>,
    /// Keeps it counted as in flight, when overload protection let it in.
    pub(super) pass: Option<Pass>,
    /// The measure that was over its trigger, when the request was shed.
    pub(super) shed: Option<Shed>,
    /// What the limits have granted; slots are given back with it.
    pub(super) admission: Admission,
    /// What was wrong, in words for the client and the log.
    pub(super) error: Option<&'static str>,
    /// The upstream that takes it: its route's, or the fallback of that.
    pub(super) upstream: Option<config::UpstreamIndex>,
    /// By which its servers are chosen, where they are.
    pub(super) balance_key: u64,
    /// The server that is asked, or is to be asked next.
    pub(super) attempt: Option<Attempt>,
    /// The connection that its request went over, while it is in use.
    pub(super) seat: Option<Seat>,
    /// Others wait for the connection that it opens.
    pub(super) opening: Option<Opening>,
    /// Servers that were asked, the last one last.
    pub(super) tried: SmallVec<[Endpoint; 2]>,
    /// The engine would drop the connection at once, and the client is to read its answer first.
    pub(super) takes_leave: bool,
    /// Interim responses so far, over all tries.
    pub(super) interim: u32,
    /// How often it was tried again, as the file allows.
    pub(super) retries: u32,
    pub(super) asked: Nanos,
    pub(super) answered: Nanos,
    /// A copy of the request for its route's mirror, while its body comes.
    pub(super) copy: Option<Box<Copy>>,
    /// What compresses the response's body.
    pub(super) encoder: Option<Encoder>,
    /// Bytes of the request's body so far.
    pub(super) body_bytes: u64,
    /// Bytes of the response's body that the limits were told of.
    pub(super) counted_out: u64,
    pub(super) request_id: RequestId,
    place: Option<Place>,
    underway: Option<Underway>,
}

impl Exchange {
    pub(super) fn new(host: &Arc<Host>) -> Self {
        Self {
            generation: host.pin(),
            connection: None,
            progress: None,
            line: None,
            begun: host.now(),
            client: None,
            route: None,
            verdict: Verdict::default(),
            refused_by: None,
            pass: None,
            shed: None,
            admission: Admission::default(),
            error: None,
            upstream: None,
            balance_key: 0,
            attempt: None,
            seat: None,
            opening: None,
            tried: SmallVec::new(),
            takes_leave: false,
            interim: 0,
            retries: 0,
            asked: Nanos::ZERO,
            answered: Nanos::ZERO,
            copy: None,
            encoder: None,
            body_bytes: 0,
            counted_out: 0,
            request_id: host.request_id(),
            place: None,
            underway: Some(Underway::new(host)),
        }
    }

    /// The request's id as headers and logs write it.
    pub(super) fn id(&self) -> String {
        self.request_id.to_string()
    }

    /// Bounds the whole exchange, if nothing bounds it to less.
    pub(super) fn finish_within(&self, now: Nanos, span: Duration) {
        if let Some(progress) = &self.progress {
            progress.finish_within(now, span);
        }
    }

    /// How long it may still take; nothing when it is not bounded.
    pub(super) fn time_left(&self, now: Nanos) -> Option<Duration> {
        self.progress.as_ref()?.time_left(now)
    }

    /// The upstream that takes the request.
    ///
    /// # Errors
    /// When there is none: such a request is answered before the upstream phases.
    pub(super) fn upstream(&self) -> Result<&Upstream> {
        match self.upstream {
            Some(index) => Ok(self.generation.upstream(index)),
            None => Error::e_explain(
                ErrorType::InternalError,
                "a request without an upstream reached the upstream phase",
            ),
        }
    }

    /// Tells the limits of bytes that passed.
    pub(super) fn passed(&self, direction: config::Direction, bytes: u64) {
        let after = &self.admission.after;
        if let Some(connection) = &self.connection
            && bytes > 0
            && !after.is_empty()
        {
            let host = &connection.host;
            after.bytes(host, &self.generation, direction, bytes, host.now());
        }
    }

    /// Takes note of who takes the request, and of the key that its servers are chosen by.
    pub(super) fn enter(&mut self, index: config::UpstreamIndex, key: u64, entry: Entry) {
        self.balance_key = key;
        self.upstream = Some(index);
        self.place = entry.place;
        self.attempt = Some(entry.attempt);
    }

    /// Gives back what the request holds, for it is over, though its connection is not.
    pub(super) fn let_go(&mut self) {
        self.seat = None;
        self.attempt = None;
        self.place = None;
        self.pass = None;
        self.admission = Admission::default();
        self.underway = None;
    }

    /// Tells the upstream what became of the present try.
    pub(super) fn settle(&mut self, outcome: Outcome, now: Nanos) {
        if let (Some(index), Some(attempt)) = (self.upstream, &mut self.attempt) {
            attempt.settle(self.generation.upstream(index), outcome, now);
        }
    }
}

/// A request as the log tells of it.
#[derive(Debug)]
pub(super) struct Line {
    pub method: http::Method,
    pub host: String,
    pub path: String,
}

impl Drop for Exchange {
    /// A request that was given up, or cut with its thread, ends without its last phase.
    fn drop(&mut self) {
        report::abandoned(self);
    }
}

/// Counts a request as being served for as long as this lives, however the request ends.
#[derive(Debug)]
struct Underway(Arc<Host>);

impl Underway {
    fn new(host: &Arc<Host>) -> Self {
        host.stats.requests.in_flight.enter();
        Self(Arc::clone(host))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.stats.requests.in_flight.leave();
    }
}
