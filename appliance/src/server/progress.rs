//! How far a request is, and until when it must be over: what the proxy's phases tell whoever carries the bytes.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use floodwall_limiter::Nanos;

use super::{
    body::Framing,
    pace::{Allowance, Pace},
    supplement::Supplement,
};
use crate::strict::Fault;

/// The state of one request at a time: of a connection that speaks HTTP/1, or of one HTTP/2 stream.
///
/// It is written and read by the task that drives the request, so no order between its words is needed.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    /// Requests that are over.
    requests: AtomicU64,
    /// When the last of them was, on the host's clock; 0 before that.
    ended: AtomicU64,
    /// When the request that is under way must be over, on the host's clock; 0 is never.
    deadline: AtomicU64,
    /// When the next piece of its body must have come, where nobody else watches over that; 0 is never.
    body: AtomicU64,
    /// How long that body was waited for, there.
    pace: Mutex<Pace>,
    /// The length of its body; [`NONE`], [`CHUNKED`] and [`OPEN`] are no lengths.
    framing: AtomicU64,
    /// What was wrong with a body: its connection ends with it.
    fault: OnceLock<Fault>,
    last: AtomicBool,
    /// The present request has a body, or nobody knows; and so the last one, when it is over.
    unsettled: AtomicBool,
    supplement: Supplement,
    given_up: OnceLock<Overdue>,
}

/// Why a request was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    Body,
    Whole,
}

impl Overdue {
    /// What the log says.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Body => "the request body took too long",
            Self::Whole => "the request took longer than its route allows",
        }
    }
}

/// The upstream's own deadline comes first, so that the client gets an answer rather than a closed door.
pub const GRACE: Duration = Duration::from_millis(250);

/// The same for a stream, which keeps nobody else waiting: an upstream may have to be connected to first.
const STREAM_GRACE: Duration = Duration::from_secs(1);

const NONE: u64 = 0;
const CHUNKED: u64 = u64::MAX;
const OPEN: u64 = u64::MAX - 1;

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

/// A phase of one certain request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub phase: Phase,
    pub request: u64,
}

impl Progress {
    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Request,
        }
    }

    /// Where the requests stand: timers of another moment mean nothing now.
    pub fn moment(&self) -> Moment {
        Moment {
            phase: self.phase(),
            request: self.requests.load(Relaxed),
        }
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// Bounds the request that is under way in all. A bound that comes earlier stays.
    pub fn finish_within(&self, now: Nanos, span: Duration) {
        let deadline = now.plus(span.into());
        if self.deadline().is_none_or(|known| known > deadline) {
            self.deadline.store(deadline.0, Relaxed);
        }
    }

    /// When the request that is under way must be over; nothing when it is not bounded.
    pub fn deadline(&self) -> Option<Nanos> {
        match self.deadline.load(Relaxed) {
            0 => None,
            deadline => Some(Nanos(deadline)),
        }
    }

    /// How long the request that is under way may still take; nothing when it is not bounded.
    pub fn time_left(&self, now: Nanos) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.minus(now).into())
    }

    /// Bounds the time until the next piece of the body comes, by itself and by what came before.
    pub fn await_body(&self, now: Nanos, allowance: Allowance) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.waits();
        let left = pace.left(allowance).unwrap_or(allowance.grace);
        let span = left.min(allowance.grace);
        self.body.store(now.plus(span.into()).0, Relaxed);
    }

    /// A piece of the body came.
    pub fn body_came(&self, bytes: usize) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.came(bytes);
    }

    /// The body is complete.
    pub fn has_body(&self) {
        self.body.store(0, Relaxed);
    }

    /// When a stream is to be given up, as far as is known now.
    pub fn due(&self) -> Option<Nanos> {
        let whole = self
            .deadline()
            .map(|deadline| deadline.plus(STREAM_GRACE.into()));
        let body = Some(Nanos(self.body.load(Relaxed))).filter(|body| *body > Nanos::ZERO);
        [whole, body].into_iter().flatten().min()
    }

    /// Takes note that a stream was given up at a time at which it was due.
    pub fn give_up(&self, now: Nanos) {
        let body = Nanos(self.body.load(Relaxed));
        let overdue = if body > Nanos::ZERO && body <= now {
            Overdue::Body
        } else {
            Overdue::Whole
        };
        // It is given up once.
        let _ = self.given_up.set(overdue);
    }

    /// Why the request was given up, if it was.
    pub fn given_up(&self) -> Option<Overdue> {
        self.given_up.get().copied()
    }

    /// Says how the end of the present request's body is told.
    pub fn expect(&self, framing: Framing) {
        let word = match framing {
            Framing::None => NONE,
            Framing::Length(length) => length,
            Framing::Chunked => CHUNKED,
            Framing::Open => OPEN,
        };
        self.framing.store(word, Relaxed);
        self.unsettled.store(framing != Framing::None, Relaxed);
    }

    pub fn framing(&self) -> Framing {
        match self.framing.load(Relaxed) {
            NONE => Framing::None,
            CHUNKED => Framing::Chunked,
            OPEN => Framing::Open,
            length => Framing::Length(length),
        }
    }

    /// Says what is wrong with the body. The first fault counts.
    pub fn spoil(&self, fault: Fault) {
        // Known already: that one counts.
        let _ = self.fault.set(fault);
    }

    /// What is wrong with the body, as far as it has come.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    /// Nobody knows what of the present request is still to come.
    pub fn unsettle(&self) {
        self.unsettled.store(true, Relaxed);
    }

    /// Whether there may be more to the present request than its head, or the last one when it is over.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled.load(Relaxed)
    }

    /// What is to be written at the end of the response's head.
    pub fn supplement(&self) -> &Supplement {
        &self.supplement
    }

    /// The request is over; the next one may come.
    pub fn finished(&self, now: Nanos) {
        self.ended.store(now.0, Relaxed);
        self.supplement.clear();
        self.deadline.store(0, Relaxed);
        self.body.store(0, Relaxed);
        self.framing.store(NONE, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.enter(Phase::Idle);
    }

    /// When the last request was over; nothing before the first is.
    pub fn ended(&self) -> Option<Nanos> {
        match self.ended.load(Relaxed) {
            0 => None,
            ended => Some(Nanos(ended)),
        }
    }

    /// No other request is to be taken from this connection.
    pub fn be_last(&self) {
        self.last.store(true, Relaxed);
    }

    /// Whether the connection is to end with this request.
    pub fn is_last(&self) -> bool {
        self.last.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_bound_counts_and_ends_with_its_request() {
        let progress = Progress::default();
        assert_eq!(progress.time_left(Nanos(100)), None);
        assert_eq!(progress.ended(), None);
        progress.finish_within(Nanos(100), Duration::from_nanos(50));
        progress.finish_within(Nanos(100), Duration::from_nanos(90));
        assert_eq!(
            progress.time_left(Nanos(110)),
            Some(Duration::from_nanos(40))
        );
        progress.finish_within(Nanos(110), Duration::from_nanos(10));
        assert_eq!(progress.time_left(Nanos(200)), Some(Duration::ZERO));
        let before = progress.moment();
        progress.finished(Nanos(300));
        assert_eq!(progress.ended(), Some(Nanos(300)));
        assert_eq!(progress.time_left(Nanos(200)), None);
        assert_ne!(progress.moment(), before);
    }

    /// An allowance for one piece, without a rate.
    fn within(nanos: u64) -> Allowance {
        Allowance {
            grace: Duration::from_nanos(nanos),
            rate: None,
        }
    }

    #[test]
    fn a_body_has_a_clock_of_its_own() {
        let progress = Progress::default();
        assert_eq!(progress.due(), None);
        progress.await_body(Nanos(100), within(50));
        assert_eq!(progress.due(), Some(Nanos(150)));
        progress.finish_within(Nanos(100), Duration::from_nanos(20));
        let grace = Nanos::from(STREAM_GRACE);
        assert_eq!(progress.due(), Some(Nanos(150)), "the whole has a grace");
        progress.has_body();
        assert_eq!(progress.due(), Some(Nanos(120).plus(grace)));
        progress.await_body(Nanos(200), within(50));
        progress.give_up(Nanos(250));
        assert_eq!(progress.given_up(), Some(Overdue::Body));
    }
}
