//! Escalation: a source that keeps being refused is blocked, each time for twice as long.

use crate::{
    FlowId, KeyHash, LimitId, LimitKind, Nanos, Secret,
    table::{FlowTable, Set},
    tally::Tally,
};

/// When refusals become a block, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// The refusal that blocks: the `after`-th, counted from the first of a window.
    pub after: u16,
    /// How long a window lasts from its first refusal.
    pub within: Nanos,
    /// The first block's duration.
    pub first: Nanos,
    /// The longest block. An offender is remembered for this long after a block has ended.
    pub longest: Nanos,
}

/// Where one limit keeps what it knows of offenders: the ids of its two tallies.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    strikes: LimitId,
    offences: LimitId,
}

impl Ledger {
    /// The ledger of the limit of this name. It keeps its state for as long as it keeps its name.
    pub fn new(secret: Secret, limit: &str) -> Self {
        Self {
            strikes: LimitId::new(secret, LimitKind::Strikes, limit),
            offences: LimitId::new(secret, LimitKind::Offences, limit),
        }
    }

    /// Forgets a source's past: what an operator's pardon means.
    pub fn forget<M: AsRef<[Set]>>(self, table: &FlowTable<M>, source: KeyHash) {
        table.clear(FlowId::new(source, self.strikes));
        table.clear(FlowId::new(source, self.offences));
    }
}

impl Escalation {
    /// Counts one refusal. The one that fills the window answers with the block's duration.
    pub fn strike<M: AsRef<[Set]>>(
        &self,
        table: &FlowTable<M>,
        ledger: Ledger,
        source: KeyHash,
        now: Nanos,
    ) -> Option<Nanos> {
        let strikes = FlowId::new(source, ledger.strikes);
        let counted = table
            .update(strikes, now, |word| Ok(self.counted(word, now).word()))
            .ok()?;
        // Exactly one thread sees the count reach `after`: those behind it see more.
        if Tally::read(counted.time, now)?.count != self.after.clamp(1, Tally::MOST) {
            return None;
        }
        table.clear(strikes);
        let offences = FlowId::new(source, ledger.offences);
        let known = table
            .update(offences, now, |word| Ok(self.repeated(word, now).word()))
            .ok()?;
        Some(self.duration(Tally::read(known.time, now)?.count))
    }

    /// The duration of a source's `offence`-th block, counted from one: doubled each time, up to the longest.
    pub fn duration(&self, offence: u16) -> Nanos {
        let doubled = match u32::from(offence.saturating_sub(1)) {
            times if times < 63 => self.first.0.saturating_mul(1 << times),
            _ => u64::MAX,
        };
        Nanos(doubled.min(self.longest.0))
    }

    fn counted(&self, word: Nanos, now: Nanos) -> Tally {
        match Tally::read(word, now) {
            Some(tally) => Tally {
                count: tally.count.saturating_add(1).min(Tally::MOST),
                ..tally
            },
            None => Tally {
                until: now.plus(self.within),
                count: 1,
            },
        }
    }

    fn repeated(&self, word: Nanos, now: Nanos) -> Tally {
        let count = Tally::read(word, now)
            .map_or(0, |tally| tally.count)
            .saturating_add(1)
            .min(Tally::MOST);
        Tally {
            until: now.plus(self.duration(count)).plus(self.longest),
            count,
        }
    }
}
