//! What is left of the budgets of a limit, for whoever only looks.

use floodwall_config::LimitIndex;
use floodwall_limiter::{KeyHash, Nanos};

use super::ask::Asked;
use crate::{
    generation::Generation,
    host::Host,
    limit::{Limit, rule::Grant},
};

/// The budgets of one limit at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Budgets<'a> {
    pub limit: &'a Limit,
    pub now: Nanos,
    host: &'a Host,
    index: LimitIndex,
}

impl<'a> Budgets<'a> {
    /// Those of all limits, in the order of the file.
    pub fn all(host: &'a Host, generation: &'a Generation) -> impl Iterator<Item = Self> {
        let now = host.now();
        let limits = generation.limits().iter().enumerate();
        limits.map(move |(at, limit)| Self {
            limit,
            now,
            host,
            index: LimitIndex(at),
        })
    }

    /// What would be admitted at once where one budget is for all; none where each key has its own.
    pub fn left_of_all(&self) -> Option<u64> {
        let asked = self.asked(self.limit.key_of_all?);
        Some(match asked.rule.grant {
            Grant::Concurrency(most) => asked.free_slots(most),
            _ => self.left_at_rate(&asked),
        })
    }

    /// What would be admitted of a key at once, whose lowest bit may be another: that is enough for a rate, but not for
    /// slots. None as well where the limit has exceptions, which know keys by their values.
    pub fn left_of(&self, key: KeyHash) -> Option<u64> {
        let asked = self.asked(self.limit.key_of_all.unwrap_or(key));
        let is_rate = !matches!(asked.rule.grant, Grant::Concurrency(_));
        (is_rate && !self.limit.has_exceptions()).then(|| self.left_at_rate(&asked))
    }

    fn left_at_rate(&self, asked: &Asked<'_>) -> u64 {
        let quota = asked.quota(self.host, self.now);
        let time = self.host.table.time(asked.flow());
        asked.remaining(quota, time.minus(self.now))
    }

    /// As a request of this key would be asked, exceptions aside.
    fn asked(&self, key: KeyHash) -> Asked<'a> {
        Asked {
            index: self.index,
            limit: self.limit,
            key,
            rule: &self.limit.rule,
            enforced: true,
        }
    }
}
