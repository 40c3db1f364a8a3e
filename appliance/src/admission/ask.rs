//! Whether a limit concerns a request, and under which key and rule it counts it.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_limiter::{FlowId, KeyHash, Nanos, Quota};

use crate::{
    generation::Generation,
    host::Host,
    key::Subject,
    limit::{Counts, Limit, live::Whose, rule::Rule},
    memory::Table,
    route,
};

/// A limit that concerns the request, with the key it counts under.
///
/// Its methods take it by value: a reference that goes to a function of its own has it in memory, written word by word
/// and read again in larger pieces, for which a processor waits longer than for all the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub index: config::LimitIndex,
    pub limit: &'a Limit,
    pub key: KeyHash,
    pub rule: &'a Arc<Rule>,
    /// Whether it refuses this key, rather than only counting it.
    pub enforced: bool,
}

impl Asked<'_> {
    /// Where the key's debt lives.
    #[inline]
    pub(super) fn flow(self) -> FlowId {
        FlowId::new(self.key, self.limit.id)
    }

    /// Takes note of the key among those that come often; `name` writes it in words.
    #[inline]
    pub(super) fn count(self, now: Nanos, name: impl FnOnce(&mut String)) {
        let hot = &self.limit.stats.hot;
        hot.count(self.flow().fingerprint(), self.rule.of.0, now, name);
    }

    /// The rate of its key, as of now.
    #[inline]
    pub(super) fn quota(self, host: &Host, now: Nanos) -> Quota {
        self.rule
            .quota(&host.pressure, || self.warmed_to(host), now)
    }

    /// Its word of warm-up, which few limits have.
    #[inline(never)]
    fn warmed_to(self, host: &Host) -> Nanos {
        host.table.time(self.warmth())
    }

    /// Where its warmth lives.
    pub(super) fn warmth(self) -> FlowId {
        FlowId::new(self.key, self.limit.warmth)
    }

    /// What is left at once of a quota under a debt: requests, or bytes.
    pub(super) fn remaining(self, quota: Quota, debt: Nanos) -> u64 {
        match self.limit.counts {
            // The quota's interval is that of one byte, rounded up: the rule's own rate is exact.
            Counts::Bytes(_) => self.rule.units(quota.depth().minus(debt)),
            _ => quota.remaining(debt),
        }
    }

    /// How many of `most` slots are free.
    pub(super) fn free_slots(self, most: u32) -> u64 {
        u64::from(most).saturating_sub(self.limit.stats.live.held(self.whose()))
    }

    /// Whose slots it takes.
    pub(super) fn whose(self) -> Whose {
        Whose::of(self.flow(), self.limit.key_of_all.is_none())
    }
}

/// Finds out under which key and rule a limit counts the request; `None` when it does not.
#[expect(
    clippy::inline_always,
    reason = "what it returns is to stay in registers"
)]
#[inline(always)]
pub(super) fn ask<'a>(
    table: &Table,
    generation: &'a Generation,
    index: config::LimitIndex,
    subject: &Subject<'_>,
) -> Option<Asked<'a>> {
    let limit = generation.limit(index);
    let concerned = limit
        .matches
        .as_ref()
        .is_none_or(|rule| route::matches(rule, &subject.request));
    concerned
        .then(|| watch(table, generation, index, subject))
        .flatten()
}

/// The same for a limit that watches the request as somebody else's: its `match` tells its own requests only.
#[expect(clippy::inline_always, reason = "as for `ask`")]
#[inline(always)]
pub(super) fn watch<'a>(
    table: &Table,
    generation: &'a Generation,
    index: config::LimitIndex,
    subject: &Subject<'_>,
) -> Option<Asked<'a>> {
    let limit = generation.limit(index);
    let key = if let Some(key) = limit.key_of_all {
        key
    } else {
        let counted = subject.hash(table.secret(), &limit.key);
        if limit.skip_absent && !counted.is_whole {
            return None;
        }
        counted.key
    };
    Some(Asked {
        index,
        limit,
        key,
        rule: limit.rule(subject)?,
        enforced: limit.enforces(subject),
    })
}
