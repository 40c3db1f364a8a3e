//! How many sources limits may block: so many at one time, and so many new ones in a time.
//!
//! A flood from many addresses must not fill the table with blocks, whoever sends it. What an operator blocks is
//! an operator's to count.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use floodwall_config::BlockBudget;
use floodwall_limiter::{
    Nanos, Quota, Source,
    block::{BlockEntry, By},
    gcra::{self, Step},
};

/// The sources that limits have blocked, counted under one lock that only blocks and pardons take.
#[derive(Debug, Default)]
pub struct Budget(Mutex<Standing>);

/// What a generation allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sources at one time.
    pub max: u64,
    /// New ones.
    pub quota: Quota,
}

/// Why a source was not blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    #[error("prefilter.blocks.max sources are blocked already")]
    Full,
    #[error("prefilter.blocks.rate admits no further block now")]
    TooFast,
}

#[derive(Debug, Default)]
struct Standing {
    ends: HashMap<Source, Nanos>,
    /// The same, the earliest first. An entry that says less than `ends` is an end that was put off.
    queue: BinaryHeap<Reverse<(Nanos, Source)>>,
    /// The theoretical arrival time of the next new block.
    tat: Nanos,
    refused_full: u64,
    refused_rate: u64,
    /// When a refusal was last told to the log.
    told: Option<Nanos>,
}

/// The budget in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Sources that limits have blocked and that still are.
    pub standing: u64,
    pub refused_full: u64,
    pub refused_rate: u64,
}

/// A refusal in a flood of them is told to the log no more often than this.
const TELL_EVERY: Nanos = Nanos::SECOND;

impl From<&BlockBudget> for Bounds {
    fn from(budget: &BlockBudget) -> Self {
        Self {
            max: budget.max,
            quota: budget.rate.quota,
        }
    }
}

impl Budget {
    /// A budget of which the limits' blocks in a book that outlived its process are spent.
    pub fn with(blocks: &[BlockEntry]) -> Self {
        let budget = Self::default();
        for block in blocks.iter().filter(|block| block.by == By::Limit) {
            budget.note(block.source, block.until);
        }
        budget
    }

    /// Spends a block of `source` until `until`. A source that is blocked already costs nothing.
    ///
    /// # Errors
    /// [`Spent`]; nothing is spent then.
    pub fn spend(
        &self,
        source: Source,
        until: Nanos,
        bounds: Bounds,
        now: Nanos,
    ) -> Result<(), Spent> {
        let mut standing = self.lock();
        standing.expire(now);
        let spent = standing.admit(source, bounds, now);
        match spent {
            Ok(()) => standing.note(source, until),
            Err(why) => standing.refuse(why, bounds, now),
        }
        spent
    }

    /// Takes note of a block that was not asked for here.
    pub fn note(&self, source: Source, until: Nanos) {
        self.lock().note(source, until);
    }

    /// Gives back what a pardoned source had spent.
    pub fn release(&self, source: Source) {
        // Its place in the queue means nothing without this.
        self.lock().ends.remove(&source);
    }

    pub fn account(&self, now: Nanos) -> Account {
        let mut standing = self.lock();
        standing.expire(now);
        Account {
            standing: standing.ends.len() as u64,
            refused_full: standing.refused_full,
            refused_rate: standing.refused_rate,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn admit(&mut self, source: Source, bounds: Bounds, now: Nanos) -> Result<(), Spent> {
        if self.ends.contains_key(&source) {
            return Ok(());
        }
        if self.ends.len() as u64 >= bounds.max {
            return Err(Spent::Full);
        }
        match gcra::step(self.tat, bounds.quota, now, 1) {
            Step::Admit { tat } => self.tat = tat,
            Step::Refuse { .. } => return Err(Spent::TooFast),
        }
        Ok(())
    }

    fn note(&mut self, source: Source, until: Nanos) {
        let end = self.ends.entry(source).or_default();
        if until > *end {
            *end = until;
            self.queue.push(Reverse((until, source)));
        }
    }

    fn expire(&mut self, now: Nanos) {
        while let Some(Reverse((end, source))) = self.queue.peek().copied() {
            if end > now {
                return;
            }
            self.queue.pop();
            if self.ends.get(&source).is_some_and(|last| *last <= now) {
                self.ends.remove(&source);
            }
        }
    }

    fn refuse(&mut self, why: Spent, bounds: Bounds, now: Nanos) {
        match why {
            Spent::Full => self.refused_full += 1,
            Spent::TooFast => self.refused_rate += 1,
        }
        if self.told.is_some_and(|told| now.minus(told) < TELL_EVERY) {
            return;
        }
        self.told = Some(now);
        tracing::warn!(
            standing = self.ends.len(),
            max = bounds.max,
            refused_full = self.refused_full,
            refused_rate = self.refused_rate,
            "not blocked: {why}"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const NOW: Nanos = Nanos::from_secs(1);

    fn source(n: u32) -> Source {
        Source::v4(0x0a00_0000 + n, 32)
    }

    fn bounds(max: u64, rate: u64) -> Bounds {
        Bounds {
            max,
            quota: Quota::new(rate, Nanos::SECOND, rate),
        }
    }

    /// How many of eight threads' blocks of `each` sources of their own are admitted.
    fn race(budget: &Budget, bounds: Bounds, each: u32) -> usize {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    scope.spawn(move || {
                        let until = NOW.plus(Nanos::from_secs(60));
                        let spend = |n| budget.spend(source(thread * each + n), until, bounds, NOW);
                        (0..each).filter(|n| spend(*n).is_ok()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        })
    }

    #[test]
    fn eight_threads_never_block_more_than_max() {
        let budget = Budget::default();
        assert_eq!(race(&budget, bounds(100, 1_000_000), 500), 100);
        let account = budget.account(NOW);
        assert_eq!((account.standing, account.refused_full), (100, 3_900));
    }

    #[test]
    fn eight_threads_never_block_faster_than_rate() {
        let budget = Budget::default();
        assert_eq!(race(&budget, bounds(16_384, 50), 500), 50);
        let account = budget.account(NOW);
        assert_eq!((account.standing, account.refused_rate), (50, 3_950));
    }

    #[test]
    fn what_ends_or_is_pardoned_is_free_again() {
        let budget = Budget::default();
        let tight = bounds(2, 1_000);
        let until = NOW.plus(Nanos::SECOND);
        budget.spend(source(1), until, tight, NOW).unwrap();
        budget.spend(source(2), until, tight, NOW).unwrap();
        assert_eq!(budget.spend(source(3), until, tight, NOW), Err(Spent::Full));
        budget.release(source(2));
        budget.spend(source(3), until, tight, NOW).unwrap();
        let later = until.plus(Nanos::SECOND);
        budget.spend(source(1), later, tight, NOW).unwrap();
        assert_eq!(budget.account(until).standing, 1, "the first was put off");
        assert_eq!(budget.account(later).standing, 0);
    }
}
