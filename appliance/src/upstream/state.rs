//! What an upstream knows beyond the generation: its counters, its breakers and servers, and what is under way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use floodwall_limiter::{
    Nanos,
    shape::{
        adaptive::Adaptive,
        breaker::Breaker,
        in_flight::InFlight,
        outlier::{Outliers, Server},
        retry_budget::RetryBudget,
    },
};

use super::{Endpoint, Live, breaker::Counted, names::Names, pool::Connections};
use crate::stats::{Classes, Count, Latency};

/// The state of the upstream of one name, kept over reloads.
#[derive(Debug, Default)]
pub struct State {
    pub counts: Counts,
    pub connections: Connections,
    pub(super) in_flight: InFlight,
    pub(super) budget: RetryBudget,
    pub(super) outliers: Outliers,
    /// What the names of its servers were found to mean.
    pub names: Names,
    kept: Mutex<Kept>,
}

/// What the generation that runs goes by, and the next one begins with.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By their server; without one for the upstream as a whole.
    pub(super) breakers: BTreeMap<Option<Endpoint>, (Counted, Arc<Breaker>)>,
    pub(super) outliers: BTreeMap<Endpoint, Arc<Server>>,
    pub(super) lives: BTreeMap<Endpoint, Arc<Live>>,
    pub(super) adaptive: Option<Arc<Adaptive>>,
}

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
    /// Requests refused because no server was known.
    pub refused_unknown: Count,
    /// Times that a breaker opened.
    pub opened: Count,
    pub answers: Classes,
    /// From the request to the head of the answer.
    pub response_time: Latency,
}

impl State {
    /// The breaker of a server, or of the upstream, as it stands; a successor of it when it counts otherwise, and
    /// a new one when there is none.
    pub(super) fn breaker(
        &self,
        owner: Option<&Endpoint>,
        counted: &Counted,
        now: Nanos,
    ) -> Arc<Breaker> {
        match self.lock().breakers.get(&owner.cloned()) {
            Some((same, breaker)) if same == counted => Arc::clone(breaker),
            Some((_, breaker)) => Arc::new(breaker.succeed(counted.window(), now)),
            None => Arc::new(Breaker::new(counted.window())),
        }
    }

    /// What is known of a server; a successor of it when the interval is another.
    pub(super) fn server(&self, endpoint: &Endpoint, interval: Nanos) -> Arc<Server> {
        match self.lock().outliers.get(endpoint) {
            Some(server) if server.interval() == interval => Arc::clone(server),
            Some(server) => Arc::new(server.succeed(interval)),
            None => Arc::new(Server::new(interval)),
        }
    }

    /// A server as it is, or as it joins those that are there.
    pub(super) fn live(&self, endpoint: &Endpoint, now: Nanos) -> Arc<Live> {
        let kept = self.lock();
        match kept.lives.get(endpoint) {
            Some(live) => Arc::clone(live),
            None if kept.lives.is_empty() => Arc::default(),
            None => Arc::new(Live::joining(now)),
        }
    }

    /// The limit that follows how long answers take, if there is one.
    pub(super) fn adaptive(&self) -> Option<Arc<Adaptive>> {
        self.lock().adaptive.clone()
    }

    /// Takes note of what counts from now on.
    pub(super) fn keep(&self, kept: Kept) {
        *self.lock() = kept;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Only whole values are stored under this lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
