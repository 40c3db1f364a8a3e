//! A [`Gradient`] that many threads feed and ask: they add to plain words, and one of them now and then steers.

use super::gradient::{FEWEST_ANSWERS, Gradient, Rule, Sample};
use crate::{
    Nanos,
    sync::{AtomicU64, Mutex, Ordering::Relaxed},
};

/// A limit that follows how long answers take.
///
/// Answers that come while a sample is taken may count half for it and half for the next; the limit moves by a
/// fraction of that at the most.
#[derive(Debug)]
pub struct Adaptive {
    limit: AtomicU64,
    ends: AtomicU64,
    answers: AtomicU64,
    took: AtomicU64,
    refusals: AtomicU64,
    /// Never waited for.
    gradient: Mutex<Gradient>,
}

impl Adaptive {
    /// Begins with a limit of `initial`.
    pub fn new(rule: &Rule, initial: u64, now: Nanos) -> Self {
        let gradient = Gradient::new(rule, initial, now);
        Self {
            limit: AtomicU64::new(gradient.limit(rule)),
            ends: AtomicU64::new(now.plus(rule.every).0),
            answers: AtomicU64::new(0),
            took: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            gradient: Mutex::new(gradient),
        }
    }

    /// How many may be under way now.
    pub fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    /// Takes note that somebody was refused for this limit.
    pub fn refused(&self) {
        self.refusals.fetch_add(1, Relaxed);
    }

    /// Takes note of an answer.
    pub fn answered(&self, rule: &Rule, took: Nanos, now: Nanos) {
        self.took.fetch_add(took.0, Relaxed);
        let answers = self.answers.fetch_add(1, Relaxed) + 1;
        if now.0 >= self.ends.load(Relaxed) && answers >= FEWEST_ANSWERS {
            self.steer(rule, now);
        }
    }

    /// How long an answer takes without a queue, as far as that is known.
    pub fn base(&self) -> Option<Nanos> {
        self.gradient.try_lock()?.base()
    }

    fn steer(&self, rule: &Rule, now: Nanos) {
        let Some(mut gradient) = self.gradient.try_lock() else {
            // Somebody else is at it.
            return;
        };
        if now.0 < self.ends.load(Relaxed) {
            return;
        }
        self.ends.store(now.plus(rule.every).0, Relaxed);
        let (answers, took) = (self.answers.swap(0, Relaxed), self.took.swap(0, Relaxed));
        let sample = Sample {
            answers,
            mean: Nanos(took / answers.max(1)),
            busy: self.refusals.swap(0, Relaxed) > 0,
        };
        gradient.learn(rule, sample, now);
        self.limit.store(gradient.limit(rule), Relaxed);
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        min: 4,
        max: 100,
        tolerance: 1.5,
        every: Nanos::from_millis(100),
        measure_every: Nanos::from_secs(10),
    };

    fn tenth(adaptive: &Adaptive, now: &mut Nanos, millis: u64) {
        for _ in 0..100 {
            *now = now.plus(Nanos::from_millis(1));
            adaptive.refused();
            adaptive.answered(&RULE, Nanos::from_millis(millis), *now);
        }
    }

    #[test]
    fn it_grows_while_answers_are_quick_and_shrinks_when_they_are_not() {
        let mut now = Nanos::from_secs(5);
        let adaptive = Adaptive::new(&RULE, 20, now);
        assert_eq!((adaptive.limit(), adaptive.base()), (20, None));
        for _ in 0..20 {
            tenth(&adaptive, &mut now, 10);
        }
        let grown = adaptive.limit();
        assert!(grown > 30, "{grown}");
        assert_eq!(adaptive.base(), Some(Nanos::from_millis(10)));
        for _ in 0..2 {
            tenth(&adaptive, &mut now, 100);
        }
        assert!(adaptive.limit() < grown);
    }

    #[test]
    fn threads_that_feed_it_leave_it_within_its_bounds() {
        let adaptive = Adaptive::new(&RULE, 20, Nanos::ZERO);
        std::thread::scope(|scope| {
            for thread in 1..=8 {
                let adaptive = &adaptive;
                scope.spawn(move || {
                    for step in 0..20_000 {
                        adaptive.answered(
                            &RULE,
                            Nanos::from_millis(thread),
                            Nanos(step * 1_000_000),
                        );
                        assert!((RULE.min..=RULE.max).contains(&adaptive.limit()));
                    }
                });
            }
        });
    }
}
