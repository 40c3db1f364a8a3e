//! One try to have a request answered by one server.

use std::sync::Arc;

use floodwall_limiter::Nanos;

use super::{Endpoint, Group, Server, Upstream, breaker::Leave};

/// A server that was chosen, with leave to ask it. Dropped without an outcome, as when the client leaves, it
/// gives back what it holds and says nothing about the server.
#[derive(Debug)]
pub struct Attempt {
    pub(super) group: Arc<Group>,
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
    pub(super) fn new(group: Arc<Group>, server: usize, leave: Option<Leave>) -> Self {
        let live = &group.servers[server].live;
        live.in_flight.enter();
        live.requests.one();
        Self {
            group,
            server,
            leave,
            outcome: None,
        }
    }

    /// The server that was chosen.
    pub fn server(&self) -> &Server {
        &self.group.servers[self.server]
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.server().endpoint
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

impl Drop for Attempt {
    fn drop(&mut self) {
        self.server().live.in_flight.leave();
    }
}
