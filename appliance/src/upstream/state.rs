//! What an upstream knows beyond the generation: its counters, its breakers, and what is under way.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use floodwall_limiter::{
    Nanos,
    shape::{breaker::Breaker, in_flight::InFlight, retry_budget::RetryBudget},
};

use super::breaker::Counted;
use crate::stats::Count;

/// The state of the upstream of one name, kept over reloads.
#[derive(Debug, Default)]
pub struct State {
    pub counts: Counts,
    pub(super) in_flight: InFlight,
    pub(super) budget: RetryBudget,
    /// Of the generation that runs, by their server; without one for the upstream as a whole.
    breakers: Mutex<Breakers>,
}

type Breakers = BTreeMap<Option<SocketAddr>, (Counted, Arc<Breaker>)>;

/// What one upstream did.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests sent to a server, each try by itself.
    pub requests: Count,
    pub connect_failures: Count,
    pub retries: Count,
    /// Retries that the budget did not allow.
    pub retries_over_budget: Count,
    /// Requests that got no answer.
    pub errors: Count,
    /// Requests refused because the breaker was open.
    pub refused_open: Count,
    /// Requests refused because there were as many as there may be.
    pub refused_full: Count,
    /// Times that a breaker opened.
    pub opened: Count,
}

impl State {
    /// The breaker of a server, or of the upstream, as it stands; a successor of it when it counts otherwise, and
    /// a new one when there is none.
    pub(super) fn breaker(
        &self,
        owner: Option<SocketAddr>,
        counted: &Counted,
        now: Nanos,
    ) -> Arc<Breaker> {
        match self.lock().get(&owner) {
            Some((same, breaker)) if same == counted => Arc::clone(breaker),
            Some((_, breaker)) => Arc::new(breaker.succeed(counted.window(), now)),
            None => Arc::new(Breaker::new(counted.window())),
        }
    }

    /// Takes note of the breakers that count from now on.
    pub(super) fn keep(&self, breakers: Breakers) {
        *self.lock() = breakers;
    }

    fn lock(&self) -> MutexGuard<'_, Breakers> {
        // Only whole maps are stored under this lock.
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
