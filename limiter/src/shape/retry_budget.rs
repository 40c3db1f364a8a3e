//! How much of the load may be repetition: a share of the recent requests, and a few beside.
//!
//! Without such a bound, retries multiply the load of an upstream just when it fails (Finagle's `RetryBudget`).

use super::window::Window;
use crate::Nanos;

/// Requests and retries are weighed over so long.
const SPAN: Nanos = Nanos::from_secs(10);

/// What may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Of the requests of the last ten seconds, in parts per million.
    pub share: u32,
    /// Retries a second beside the share, so that there are some where requests are few.
    pub least: u32,
}

/// The requests of the last ten seconds and their retries. State of an upstream, whatever its present rule.
///
/// Never over: a retry is counted before it is looked at, so that of two that race for the last place at the
/// most one gets it. Both may be refused.
#[derive(Debug)]
pub struct RetryBudget(Window);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Window::new(SPAN))
    }
}

impl RetryBudget {
    /// Counts a request, whatever becomes of it.
    pub fn request(&self, now: Nanos) {
        self.0.add(now, false);
    }

    /// Counts a retry if there is one left, and tells whether there was.
    pub fn retry(&self, rule: Rule, now: Nanos) -> bool {
        self.0.add_bad(now);
        let counts = self.0.counts(now);
        let within = counts.bad <= rule.allows(counts.all);
        if !within {
            self.0.take_bad_back(now);
        }
        within
    }

    /// How many retries are left at the moment.
    pub fn left(&self, rule: Rule, now: Nanos) -> u64 {
        let counts = self.0.counts(now);
        rule.allows(counts.all).saturating_sub(counts.bad)
    }
}

impl Rule {
    fn allows(self, requests: u64) -> u64 {
        let share = u128::from(requests) * u128::from(self.share) / 1_000_000;
        let least = u64::from(self.least) * (SPAN.0 / Nanos::SECOND.0);
        // A share is less than the whole.
        u64::try_from(share)
            .unwrap_or(u64::MAX)
            .saturating_add(least)
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use proptest::prelude::*;

    use super::*;

    const NOW: Nanos = Nanos::from_secs(100);

    #[test]
    fn a_fifth_of_the_requests_may_be_repeated() {
        let budget = RetryBudget::default();
        let rule = Rule {
            share: 200_000,
            least: 0,
        };
        assert!(!budget.retry(rule, NOW), "nothing was asked yet");
        for _ in 0..10 {
            budget.request(NOW);
        }
        assert_eq!(budget.left(rule, NOW), 2);
        let granted = [(); 5].map(|()| budget.retry(rule, NOW));
        assert_eq!(granted, [true, true, false, false, false]);
        let later = NOW.plus(SPAN);
        assert_eq!(
            budget.left(rule, later),
            0,
            "the requests are forgotten too"
        );
        for _ in 0..10 {
            budget.request(later);
        }
        assert_eq!(budget.left(rule, later), 2);
    }

    #[test]
    fn the_least_is_there_without_any_request() {
        let budget = RetryBudget::default();
        let rule = Rule { share: 0, least: 1 };
        let granted = (0..100).filter(|_| budget.retry(rule, NOW)).count();
        assert_eq!(granted, 10);
    }

    proptest! {
        /// Against two lists: at no time are there more retries in ten seconds than their share of the requests
        /// there, and a retry is refused only when one more would be too many.
        #[test]
        fn it_grants_what_two_lists_would(
            steps in proptest::collection::vec((0_u64..3_000, 0_u32..4), 1..300),
            share in 0_u32..=1_000_000,
            least in 0_u32..3,
        ) {
            let (budget, rule) = (RetryBudget::default(), Rule { share, least });
            let (mut now, mut requests, mut retries) = (NOW, Vec::new(), Vec::new());
            for (millis, kind) in steps {
                now = now.plus(Nanos::from_millis(millis));
                let second = |time: Nanos| time.0 / Nanos::SECOND.0;
                requests.retain(|time| second(*time) + 10 > second(now));
                retries.retain(|time| second(*time) + 10 > second(now));
                if kind > 0 {
                    budget.request(now);
                    requests.push(now);
                    continue;
                }
                let allowed = requests.len() as u64 * u64::from(share) / 1_000_000 + u64::from(least) * 10;
                let granted = budget.retry(rule, now);
                prop_assert_eq!(granted, (retries.len() as u64) < allowed);
                if granted {
                    retries.push(now);
                }
            }
        }
    }

    #[test]
    fn eight_threads_get_no_more_than_there_is() {
        let (budget, granted) = (RetryBudget::default(), AtomicU64::new(0));
        let rule = Rule {
            share: 100_000,
            least: 0,
        };
        for _ in 0..1_000 {
            budget.request(NOW);
        }
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        granted.fetch_add(u64::from(budget.retry(rule, NOW)), SeqCst);
                    }
                });
            }
        });
        assert!(granted.load(SeqCst) <= 100);
        let more = (0..100).filter(|_| budget.retry(rule, NOW)).count() as u64;
        assert_eq!(granted.into_inner() + more, 100);
    }
}
