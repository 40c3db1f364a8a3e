//! How long slots are held, and so when one will probably be free.

use crate::{
    Nanos,
    sync::{AtomicU64, Ordering::Relaxed, exchange},
};

/// A moving average of the times that slots were held; each new one weighs an eighth, as in TCP's estimate of the
/// round trip (RFC 6298).
#[derive(Debug, Default)]
pub struct HoldTime(AtomicU64);

const WEIGHT: u64 = 8;

/// Nobody is sent away for longer than this by a guess.
const LONGEST_GUESS: Nanos = Nanos::from_secs(60);

/// What is guessed before any slot was released.
const FIRST_GUESS: Nanos = Nanos::SECOND;

impl HoldTime {
    /// Notes that a slot was released after `held`.
    pub fn note(&self, held: Nanos) {
        // Zero stands for nothing known.
        let held = held.0.max(1);
        loop {
            let mean = self.0.load(Relaxed);
            let next = match mean {
                0 => held,
                _ => mean - mean / WEIGHT + held / WEIGHT,
            };
            if exchange(&self.0, mean, next.max(1)) {
                return;
            }
        }
    }

    /// The average; none when no slot was released yet.
    pub fn mean(&self) -> Option<Nanos> {
        let mean = self.0.load(Relaxed);
        (mean > 0).then_some(Nanos(mean))
    }

    /// When one of `most` slots, all of which are taken, will probably be free for whoever comes after `ahead`
    /// others: `most` slots are released in an average time (Little's law). A minute at the most; never where there
    /// are no slots.
    pub fn until_free(&self, most: u32, ahead: u64) -> Nanos {
        if most == 0 {
            return Nanos::MAX;
        }
        let Some(mean) = self.mean() else {
            return FIRST_GUESS;
        };
        let turns = ahead.saturating_add(1);
        Nanos(mean.0.saturating_mul(turns) / u64::from(most)).min(LONGEST_GUESS)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn many_slots_are_free_sooner_than_one_and_those_ahead_come_first() {
        let times = HoldTime::default();
        assert_eq!((times.mean(), times.until_free(4, 0)), (None, FIRST_GUESS));
        times.note(Nanos::from_secs(8));
        assert_eq!(times.until_free(1, 0), Nanos::from_secs(8));
        assert_eq!(times.until_free(4, 0), Nanos::from_secs(2));
        assert_eq!(times.until_free(4, 3), Nanos::from_secs(8));
        assert_eq!(times.until_free(1, u64::MAX), LONGEST_GUESS);
        assert_eq!(times.until_free(0, 0), Nanos::MAX);
    }

    #[test]
    fn the_average_follows_what_is_seen_whatever_came_first() {
        let times = HoldTime::default();
        times.note(Nanos::MAX);
        for _ in 0..500 {
            times.note(Nanos::from_millis(10));
        }
        let mean = times.mean().unwrap();
        assert!(mean.0.abs_diff(10_000_000) < 100, "{mean:?}");
        times.note(Nanos::ZERO);
        assert!(times.mean().unwrap() < mean);
    }
}
