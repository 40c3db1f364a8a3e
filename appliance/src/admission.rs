//! Whether a request may pass: all its limits admit it, or none is charged.
//!
//! The rates are asked first, in the order of the route. A limit with a queue answers with a place in line rather
//! than a refusal; the request then waits once, for the latest of its places. Slots of concurrency come last, when
//! there is nothing else to wait for, and in the order of the file for every request: whoever holds one is under
//! way or waits for another that is further down, so that no two wait for each other. What was taken is given
//! back exactly when a later limit refuses or the client leaves.

use floodwall_config as config;
use floodwall_limiter::Nanos;
use http::HeaderValue;
use smallvec::SmallVec;

mod after;
mod ask;
mod budgets;
mod notes;
mod pending;
mod preview;
mod standing;
mod taken;

pub use after::Afterwards;
pub use budgets::Budgets;
pub use pending::{Pending, Waited};
pub use preview::{Preview, Would, preview};
pub use standing::Standing;

use after::After;
use ask::{ask, watch};
use taken::Taken;

use crate::{generation::Generation, host::Host, key::Subject, limit::live::Slot};

/// What the limits of a route say of one request.
#[derive(Debug)]
pub enum Verdict<'a> {
    Admitted(Admission),
    Refused(Refusal),
    /// It has to wait first.
    Waits(Box<Pending<'a>>),
}

/// What an admitted request carries with it.
#[derive(Debug, Default)]
pub struct Admission {
    /// How the client stands with the tightest of the limits.
    pub standing: Option<Standing>,
    /// The limits that would have refused it, were they enforced.
    pub shadowed: SmallVec<[config::LimitIndex; 2]>,
    /// What is charged once it is known.
    pub after: Afterwards,
    /// Its slots, until it ends.
    pub slots: SmallVec<[Slot; 1]>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub limit: config::LimitIndex,
    /// The rule that applies to this key, in the words of the `RateLimit-Policy` field.
    pub policy: HeaderValue,
    /// The same request would pass after this; [`Nanos::MAX`] is never.
    pub retry_after: Nanos,
}

/// Asks every limit of the route, in order, as of `now`.
pub fn decide<'a>(
    host: &'a Host,
    generation: &'a Generation,
    route: &config::Route,
    subject: &Subject<'_>,
    now: Nanos,
) -> Verdict<'a> {
    let mut taken = Taken::new(host, now);
    let mut watchers: SmallVec<[config::LimitIndex; 2]> = SmallVec::new();
    for &index in &route.limits {
        let Some(asked) = ask(&host.table, generation, index, subject) else {
            continue;
        };
        asked.count(now, |name| subject.write(&asked.limit.key, name));
        if !asked.limit.watched_by.is_empty() {
            watchers.extend_from_slice(&asked.limit.watched_by);
        }
        if let Err(refusal) = taken.ask(asked) {
            return Verdict::Refused(refusal);
        }
    }
    watchers.extend_from_slice(generation.watchers_of(&route.name));
    for index in watchers {
        if let Some(watching) = watch(&host.table, generation, index, subject) {
            taken.watched_by(watching);
        }
    }
    match taken.enter_slots() {
        Ok(true) => Verdict::Admitted(taken.admit()),
        Ok(false) => Verdict::Waits(Box::new(Pending::new(taken))),
        Err(refusal) => Verdict::Refused(refusal),
    }
}

#[cfg(test)]
mod tests;
