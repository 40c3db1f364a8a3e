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
    /// Counts one refusal. The one that fills the window answers with how long the source is to be blocked: whoever
    /// blocks it then tells [`Escalation::blocked`].
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
        Some(self.duration(self.repeated(table.time(offences), now).count))
    }

    /// Counts a block that was made, so that the next one is twice as long.
    pub fn blocked<M: AsRef<[Set]>>(
        &self,
        table: &FlowTable<M>,
        ledger: Ledger,
        source: KeyHash,
        now: Nanos,
    ) {
        let offences = FlowId::new(source, ledger.offences);
        // Where too many threads race for the cell, the next block is as long as this one.
        let _ = table.update(offences, now, |word| Ok(self.repeated(word, now).word()));
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

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Escalation = Escalation {
        after: 3,
        within: Nanos::from_secs(10),
        first: Nanos::from_secs(5),
        longest: Nanos::from_secs(3600),
    };
    const SECRET: Secret = Secret { k0: 3, k1: 4 };

    struct Story {
        table: FlowTable<Box<[Set]>>,
        ledger: Ledger,
        source: KeyHash,
    }

    impl Story {
        fn new() -> Self {
            Self {
                table: FlowTable::own(1024, SECRET),
                ledger: Ledger::new(SECRET, "per-client"),
                source: KeyHash::of_port(SECRET, 1),
            }
        }

        /// A refusal, after which nobody blocks.
        fn refuse(&self, at: u64) -> Option<Nanos> {
            RULE.strike(&self.table, self.ledger, self.source, Nanos::from_secs(at))
        }

        /// A refusal, and a block when it is one too many.
        fn strike(&self, at: u64) -> Option<Nanos> {
            let duration = self.refuse(at)?;
            let now = Nanos::from_secs(at);
            RULE.blocked(&self.table, self.ledger, self.source, now);
            Some(duration)
        }
    }

    #[test]
    fn the_third_refusal_in_a_window_blocks_and_the_next_block_is_twice_as_long() {
        let story = Story::new();
        assert_eq!(
            [100, 101, 102].map(|at| story.strike(at)),
            [None, None, Some(Nanos::from_secs(5))]
        );
        assert_eq!(
            [110, 111, 112].map(|at| story.strike(at)),
            [None, None, Some(Nanos::from_secs(10))]
        );
    }

    #[test]
    fn a_block_that_nobody_makes_is_no_offence() {
        let story = Story::new();
        for at in [100, 110, 120] {
            let asked = (0..3).find_map(|_| story.refuse(at));
            assert_eq!(asked, Some(Nanos::from_secs(5)));
        }
        let made = |at: u64| (0..3).find_map(|_| story.strike(at));
        assert_eq!(made(130), Some(Nanos::from_secs(5)));
        assert_eq!(made(140), Some(Nanos::from_secs(10)));
    }

    #[test]
    fn refusals_that_are_far_apart_block_nobody() {
        let story = Story::new();
        assert!((0..100).all(|turn| story.strike(100 + 6 * turn).is_none()));
    }

    #[test]
    fn an_offence_is_forgotten_after_the_longest_block_and_by_a_pardon() {
        let story = Story::new();
        let blocked = |at: u64| (0..3).find_map(|_| story.strike(at)).unwrap();
        assert_eq!(blocked(100), Nanos::from_secs(5));
        assert_eq!(blocked(100 + 5 + 3601), Nanos::from_secs(5));
        assert_eq!(blocked(4000), Nanos::from_secs(10));
        story.ledger.forget(&story.table, story.source);
        assert_eq!(blocked(4001), Nanos::from_secs(5));
    }

    #[test]
    fn durations_double_up_to_the_longest() {
        let durations = [1, 2, 10, 11, 64, u16::MAX].map(|offence| RULE.duration(offence));
        assert_eq!(
            durations,
            [5, 10, 2560, 3600, 3600, 3600].map(Nanos::from_secs)
        );
    }
}
