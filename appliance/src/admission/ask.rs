//! Whether a limit concerns a request, and under which key and rule it counts it.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_config::KeyPart;
use floodwall_limiter::{FlowId, KeyHash, Nanos, Quota};

use crate::{
    generation::Generation,
    host::Host,
    key::{Subject, Values},
    limit::{Counts, Limit, live::Whose, rule::Rule},
    memory::Table,
    route,
};

/// A limit that concerns the request, with the key it counts under.
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
    pub(super) fn flow(&self) -> FlowId {
        FlowId::new(self.key, self.limit.id)
    }

    /// Takes note of the key among those that come often; `name` writes it in words.
    #[inline]
    pub(super) fn count(&self, now: Nanos, name: impl FnOnce(&mut String)) {
        let hot = &self.limit.stats.hot;
        hot.count(self.flow().fingerprint(), now, name);
    }

    /// The rate of its key, as of now.
    #[inline]
    pub(super) fn quota(&self, host: &Host, now: Nanos) -> Quota {
        let warmth = || host.table.time(self.warmth());
        self.rule.quota(&host.pressure, warmth, now)
    }

    /// Where its warmth lives.
    pub(super) fn warmth(&self) -> FlowId {
        FlowId::new(self.key, self.limit.warmth)
    }

    /// What is left at once of a quota under a debt: requests, or bytes.
    pub(super) fn remaining(&self, quota: Quota, debt: Nanos) -> u64 {
        match self.limit.counts {
            // The quota's interval is that of one byte, rounded up: the rule's own rate is exact.
            Counts::Bytes(_) => self.rule.units(quota.depth().minus(debt)),
            _ => quota.remaining(debt),
        }
    }

    /// Whose slots it takes.
    pub(super) fn whose(&self) -> Whose {
        Whose::of(self.key, self.limit.key_of_all.is_none())
    }
}

/// Finds out under which key and rule a limit counts the request; `None` when it does not.
#[inline]
pub(super) fn ask<'a, 's>(
    table: &Table,
    generation: &'a Generation,
    index: config::LimitIndex,
    subject: &Subject<'s>,
) -> Option<(Asked<'a>, Values<'s>)> {
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
#[inline]
pub(super) fn watch<'a, 's>(
    table: &Table,
    generation: &'a Generation,
    index: config::LimitIndex,
    subject: &Subject<'s>,
) -> Option<(Asked<'a>, Values<'s>)> {
    let limit = generation.limit(index);
    let values = match limit.key.as_slice() {
        [] | [KeyPart::Client] => Values::new(),
        parts => subject.values(parts),
    };
    if limit.skip_absent && values.iter().any(Option::is_none) {
        return None;
    }
    let rule = limit.rule(
        values.iter().flatten().map(AsRef::as_ref),
        subject.client.address,
    )?;
    let key = match limit.key_of_all {
        Some(key) => key,
        None => subject.hash(table.secret(), &limit.key, &values),
    };
    let asked = Asked {
        index,
        limit,
        key,
        rule,
        enforced: limit.enforces(table.secret(), key),
    };
    Some((asked, values))
}
