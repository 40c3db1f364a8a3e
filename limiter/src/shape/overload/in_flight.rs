//! How many requests are being served: one word, asked and taken in one step.

use crate::sync::{AtomicU64, Ordering};

/// A number of requests. Whoever enters leaves once.
#[derive(Debug, Default)]
pub struct InFlight(AtomicU64);

impl InFlight {
    /// How many there are now.
    #[inline]
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more, unless there are `most` already; none of `most` is no bound. Tells whether it was counted.
    ///
    /// Exact on any number of threads: there is no moment with more than `most` that were let in under that bound.
    #[inline]
    pub fn enter(&self, most: Option<u64>) -> bool {
        let Some(most) = most else {
            self.0.fetch_add(1, Ordering::AcqRel);
            return true;
        };
        let mut now = self.now();
        while now < most {
            match self
                .0
                .compare_exchange_weak(now, now + 1, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(other) => now = other,
            }
        }
        false
    }

    /// Counts one less.
    #[inline]
    pub fn leave(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{sync::atomic::AtomicU64 as Count, thread};

    use super::*;

    #[test]
    fn eight_threads_are_never_more_than_the_bound_and_leave_nothing_behind() {
        let (in_flight, most_seen, refused) = (InFlight::default(), Count::new(0), Count::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if in_flight.enter(Some(3)) {
                            most_seen.fetch_max(in_flight.now(), Ordering::Relaxed);
                            thread::yield_now();
                            in_flight.leave();
                        } else {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(in_flight.now(), 0);
        assert!(most_seen.into_inner() <= 3);
        assert!(refused.into_inner() > 0, "the bound was never met");
    }

    #[test]
    fn without_a_bound_everybody_enters() {
        let in_flight = InFlight::default();
        assert!(in_flight.enter(Some(1)));
        assert!(!in_flight.enter(Some(1)));
        assert!(in_flight.enter(None));
        assert_eq!(in_flight.now(), 2);
        assert!(!in_flight.enter(Some(0)));
    }
}
