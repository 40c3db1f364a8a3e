//! What is known of one server, for as long as the upstream of its name has it.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use floodwall_limiter::Nanos;

use super::{chance, health::Vitals};
use crate::stats::{Count, Gauge};

/// One server as it is now, kept by its address over reloads.
#[derive(Debug, Default)]
pub struct Live {
    /// Requests that were sent to it, each try by itself.
    pub requests: Count,
    pub in_flight: Gauge,
    pub vitals: Vitals,
    /// When it began to get its share; zero for one that was there from the start.
    began: AtomicU64,
    last_error: Mutex<Option<(Nanos, String)>>,
}

/// A server that starts slowly gets this part of its weight at the least, in millionths: with nothing it would
/// never be seen to be slow.
const LEAST_SHARE: u64 = 100_000;
const WHOLE: u64 = 1_000_000;

impl Live {
    /// A server that joins others at `now`.
    pub(super) fn joining(now: Nanos) -> Self {
        Self {
            began: AtomicU64::new(now.0),
            ..Self::default()
        }
    }

    /// Lets it start slowly once more.
    pub(super) fn begin(&self, now: Nanos) {
        self.began.store(now.0, Relaxed);
    }

    /// The part of its weight that it has, in millionths, when servers start as slowly as `slow_start`.
    pub fn share(&self, slow_start: Option<Nanos>, now: Nanos) -> u64 {
        let began = self.began.load(Relaxed);
        let Some(slow_start) = slow_start.filter(|_| began > 0) else {
            return WHOLE;
        };
        let age = now.minus(Nanos(began)).0.min(slow_start.0);
        // At least a millisecond, and at most what a hundred years are: no overflow in 128 bits.
        let share = u128::from(age) * u128::from(WHOLE) / u128::from(slow_start.0.max(1));
        u64::try_from(share).unwrap_or(WHOLE).max(LEAST_SHARE)
    }

    /// Whether its turn is to count, by the part of its weight that it has.
    pub(super) fn takes_its_turn(&self, slow_start: Option<Nanos>, now: Nanos) -> bool {
        let share = self.share(slow_start, now);
        share == WHOLE || chance::below(WHOLE) < share
    }

    /// Takes note of what went wrong with it last.
    pub fn failed(&self, what: String, now: Nanos) {
        *self.lock() = Some((now, what));
    }

    /// What went wrong with it last, and when.
    pub fn last_error(&self) -> Option<(Nanos, String)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Nanos, String)>> {
        // Only whole values are stored under this lock.
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Option<Nanos> = Some(Nanos::from_secs(10));

    #[test]
    fn a_server_that_joins_gets_more_and_more() {
        let begin = Nanos::from_secs(100);
        let live = Live::joining(begin);
        let share = |millis| live.share(SLOW, begin.plus(Nanos::from_millis(millis)));
        assert_eq!(
            [0, 999, 5_000, 10_000, 60_000].map(share),
            [100_000, 100_000, 500_000, WHOLE, WHOLE]
        );
        assert_eq!(live.share(None, begin), WHOLE);
        live.begin(begin.plus(Nanos::from_secs(60)));
        assert_eq!(share(60_000), LEAST_SHARE);
    }

    #[test]
    fn a_server_that_was_there_from_the_start_has_all_of_it() {
        assert_eq!(Live::default().share(SLOW, Nanos::SECOND), WHOLE);
    }
}
