//! What is left of the budgets of a limit, for whoever only looks.

use std::sync::Arc;

use floodwall_config::LimitIndex;
use floodwall_limiter::{KeyHash, Nanos, shape::hot_keys::HotKey};

use super::ask::Asked;
use crate::{
    generation::Generation,
    host::Host,
    limit::{
        Limit,
        rule::{Grant, Rule, RuleOf},
    },
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
        Some(self.left(self.limit.key_of_all?, &self.limit.rule))
    }

    /// What would be admitted of a key at once, by the rule that its last request went by; none when that was the rule of
    /// an exception which is gone.
    pub fn left_of(&self, hot: &HotKey) -> Option<u64> {
        let rule = self.limit.rule_of(RuleOf(hot.last.rule))?;
        let key = self.limit.key_of_all.unwrap_or(hot.key(self.limit.id));
        Some(self.left(key, rule))
    }

    fn left(&self, key: KeyHash, rule: &Arc<Rule>) -> u64 {
        let asked = Asked {
            index: self.index,
            limit: self.limit,
            key,
            rule,
            enforced: true,
        };
        if let Grant::Concurrency(most) = rule.grant {
            return asked.free_slots(most);
        }
        let quota = asked.quota(self.host, self.now);
        let time = self.host.table.time(asked.flow());
        asked.remaining(quota, time.minus(self.now))
    }
}
