//! How a client stands with the tightest of its limits, for the response to say.

use floodwall_config as config;
use floodwall_limiter::{Nanos, Quota};
use http::HeaderValue;

use super::ask::Asked;

/// How a client stands with one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub limit: config::LimitIndex,
    /// The rule that applies to this key, in the words of the `RateLimit-Policy` field.
    pub policy: HeaderValue,
    /// Requests that may still come at once; bytes, where those are counted.
    pub remaining: u64,
    /// When one more than that will be possible; nobody knows when a slot is released.
    pub reset: Option<Nanos>,
}

/// What a key may do at a rate, and what of it is spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent<'a> {
    pub asked: &'a Asked<'a>,
    pub quota: Quota,
    pub debt: Nanos,
}

impl Spent<'_> {
    /// Whether less is left than of another, in units of each; compared by their products, which cost less than
    /// two divisions.
    pub(super) fn is_tighter(&self, than: &Self) -> bool {
        let room = |of: &Self| u128::from((of.quota.depth().0 + 1).saturating_sub(of.debt.0));
        let interval = |of: &Self| u128::from(of.quota.interval().0);
        room(self) * interval(than) < room(than) * interval(self)
    }

    pub(super) fn standing(&self) -> Standing {
        let Self { asked, quota, debt } = *self;
        // The next unit is there when the debt has fallen by what is missing to a whole interval. All times in
        // cells are even, so that an odd debt is the clock's: a nanosecond that must not count as a whole interval.
        let room = quota.depth().minus(Nanos(debt.0 & !1)).0 % quota.interval().0;
        Standing {
            limit: asked.index,
            policy: asked.rule.policy.clone(),
            remaining: asked.remaining(quota, debt),
            reset: Some(Nanos(quota.interval().0 - room)),
        }
    }
}

impl Standing {
    /// That of a limit of slots, of which the request holds one.
    pub(super) fn of_slots(asked: &Asked<'_>) -> Self {
        let held = asked.limit.stats.live.held(asked.whose());
        Self {
            limit: asked.index,
            policy: asked.rule.policy.clone(),
            remaining: asked.rule.burst.saturating_sub(held),
            reset: None,
        }
    }
}
