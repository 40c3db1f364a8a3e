//! An upstream's circuit breakers: one, or one for each server.

use std::{fmt, sync::Arc};

use floodwall_config::{self as config, BreakerScope, Trip};
use floodwall_limiter::{
    Nanos,
    shape::breaker::{self, Answer, Breaker, Change, Pass, Refused, Rule},
};

use super::{Endpoint, Server, State, attempt::Outcome};

/// The breakers of one group of servers. What they know is the upstream's, and outlives it.
#[derive(Debug)]
pub struct Breakers {
    pub rule: Rule,
    pub scope: BreakerScope,
    pub(super) counted: Counted,
    /// One, or one for each server in the order of the group.
    each: Vec<Arc<Breaker>>,
}

/// What counts as a bad answer, over which time. Breakers that agree in it may take over each other's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    window: Nanos,
    /// Answers are bad that take longer; if none is given, those with one of the statuses are.
    slow_after: Option<Nanos>,
    errors: Vec<config::StatusRange>,
}

/// Leave to ask, which goes back when it is dropped without an answer.
#[derive(Debug)]
pub(super) struct Leave {
    breaker: Arc<Breaker>,
    pass: Pass,
    answered: bool,
}

impl Breakers {
    pub(super) fn compile(
        breaker: &config::Breaker,
        servers: &[Server],
        state: &State,
        now: Nanos,
    ) -> Self {
        let (trip, slow_after) = match breaker.trip {
            Trip::SlowRatio { threshold, after } => {
                (breaker::Trip::Share(threshold.millionths()), Some(after))
            }
            Trip::ErrorRatio { threshold } => (breaker::Trip::Share(threshold.millionths()), None),
            Trip::ErrorCount { threshold } => (breaker::Trip::Count(threshold), None),
        };
        let counted = Counted {
            window: breaker.window,
            slow_after,
            errors: breaker.errors.clone(),
        };
        let owners: Vec<Option<&Endpoint>> = match breaker.scope {
            BreakerScope::Upstream => vec![None],
            BreakerScope::Server => servers
                .iter()
                .map(|server| Some(&server.endpoint))
                .collect(),
        };
        Self {
            rule: Rule {
                trip,
                min_requests: breaker.min_requests,
                open_for: breaker.open_for,
                probes: breaker.probes,
                probe_within: breaker.open_for.max(Nanos::SECOND),
            },
            scope: breaker.scope,
            each: owners
                .into_iter()
                .map(|owner| state.breaker(owner, &counted, now))
                .collect(),
            counted,
        }
    }

    /// The breaker of the whole upstream, when it has one.
    pub fn of_upstream(&self) -> Option<&Arc<Breaker>> {
        (self.scope == BreakerScope::Upstream).then(|| &self.each[0])
    }

    /// The breaker of a server, by its place in the group, when each has its own.
    pub fn of_server(&self, server: usize) -> Option<&Arc<Breaker>> {
        (self.scope == BreakerScope::Server).then(|| &self.each[server])
    }

    /// What counts as a bad answer, in words that are the same as long as that is.
    pub(super) fn counted_as(&self) -> String {
        self.counted.to_string()
    }

    /// When it is worth asking again, while none of them lets anybody ask; nothing while one does.
    pub(super) fn closed_until(&self, now: Nanos) -> Option<Nanos> {
        let refusals = self
            .each
            .iter()
            .map(|each| each.would(&self.rule, now).err());
        let refusals: Option<Vec<Refused>> = refusals.collect();
        refusals?.iter().map(|refused| refused.retry_after).min()
    }

    pub(super) fn ask(&self, breaker: &Arc<Breaker>, now: Nanos) -> Result<Leave, Refused> {
        let pass = breaker.ask(&self.rule, now)?;
        Ok(Leave {
            breaker: Arc::clone(breaker),
            pass,
            answered: false,
        })
    }

    /// Counts what became of the request that leave was given for.
    pub(super) fn answered(
        &self,
        leave: &mut Leave,
        outcome: Outcome,
        now: Nanos,
    ) -> Option<Change> {
        leave.answered = true;
        let answer = if self.counted.is_bad(outcome) {
            Answer::Bad
        } else {
            Answer::Good
        };
        leave.breaker.answered(&self.rule, leave.pass, answer, now)
    }

    /// Counts an answer as bad that had begun well.
    pub(super) fn broke_off(&self, leave: &Leave, now: Nanos) -> Option<Change> {
        leave.breaker.broke_off(&self.rule, now)
    }
}

impl Counted {
    /// No answer is a bad one, however soon it did not come.
    fn is_bad(&self, outcome: Outcome) -> bool {
        let Outcome::Answered { status, took } = outcome else {
            return true;
        };
        match self.slow_after {
            Some(slow_after) => took > slow_after,
            None => self.errors.iter().any(|range| range.contains(status)),
        }
    }

    pub(super) fn window(&self) -> Nanos {
        self.window
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(slow_after) = self.slow_after {
            write!(f, "slower than {} ns", slow_after.0)?;
        } else {
            let errors: Vec<String> = self.errors.iter().map(ToString::to_string).collect();
            write!(f, "{}", errors.join(" "))?;
        }
        write!(f, " within {} ns", self.window.0)
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if !self.answered {
            self.breaker.release(self.pass);
        }
    }
}
