//! One try to have a request answered by one server.

use std::net::SocketAddr;

use floodwall_limiter::Nanos;

use super::{Upstream, breaker::Leave};

/// A server that was chosen, with leave to ask it. Dropped without an outcome, as when the client leaves, it
/// gives back what it holds and says nothing about the server.
#[derive(Debug)]
pub struct Attempt {
    pub address: SocketAddr,
    pub(super) server: usize,
    pub(super) leave: Option<Leave>,
    outcome: Option<Outcome>,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The head of a response came after `took`.
    Answered { status: u16, took: Nanos },
    /// There was no connection, it broke off, or the answer took longer than it may.
    NoAnswer,
}

impl Attempt {
    pub(super) fn new(address: SocketAddr, server: usize, leave: Option<Leave>) -> Self {
        Self {
            address,
            server,
            leave,
            outcome: None,
        }
    }

    /// Whether a response came.
    pub fn is_answered(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Answered { .. }))
    }

    /// Tells the upstream what became of this. A response that breaks off after its head was counted as bad then.
    pub fn settle(&mut self, upstream: &Upstream, outcome: Outcome, now: Nanos) {
        let before = self.outcome.replace(outcome);
        match (before, outcome) {
            (None, _) => upstream.learn(self, outcome, now),
            (Some(Outcome::Answered { .. }), Outcome::NoAnswer) => upstream.unlearn(self, now),
            _ => {}
        }
    }
}
