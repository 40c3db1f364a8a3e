//! A gate's two decisions: who is drawn, and whether there is a place left.

use crate::sync::{AtomicU64, Ordering::SeqCst, exchange};

/// The places behind a gate that are taken.
///
/// A place is reserved by one exchange before anybody is let in, so that no number of threads gives more than
/// there are. Counting first and entering later would.
#[derive(Debug, Default)]
pub struct Places(AtomicU64);

impl Places {
    /// Takes a place if fewer than `most` are taken; always without a bound.
    pub fn try_take(&self, most: Option<u64>) -> bool {
        loop {
            let taken = self.0.load(SeqCst);
            if most.is_some_and(|most| taken >= most) {
                return false;
            }
            if exchange(&self.0, taken, taken + 1) {
                return true;
            }
        }
    }

    /// Takes a place for somebody who is in already, even beyond the bound: what was promised is kept.
    pub fn take(&self) {
        self.try_take(None);
    }

    /// Gives back a place that was taken.
    pub fn give_back(&self) {
        loop {
            let taken = self.0.load(SeqCst);
            if exchange(&self.0, taken, taken.saturating_sub(1)) {
                return;
            }
        }
    }

    /// How many are taken.
    pub fn taken(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// Whether a number that is equally likely to be any is among the share, in parts per million, that is let in.
///
/// ```
/// use floodwall_limiter::shape::gate::is_drawn;
///
/// assert!(is_drawn(u64::MAX, 1_000_000) && !is_drawn(0, 0));
/// assert!(is_drawn(u64::MAX / 2, 500_001) && !is_drawn(u64::MAX / 2 + 1, 500_000));
/// ```
pub fn is_drawn(number: u64, millionths: u32) -> bool {
    // The number as a fraction of 2^64, times a million: 84 bits.
    (u128::from(number) * 1_000_000) >> 64 < u128::from(millionths)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn eight_threads_never_give_more_than_there_are_and_leave_none() {
        for _ in 0..100 {
            let (places, start) = (Places::default(), Barrier::new(8));
            let given: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            (0..50).filter(|_| places.try_take(Some(100))).count()
                        })
                    })
                    .collect();
                threads.into_iter().map(|each| each.join().unwrap()).sum()
            });
            assert_eq!((given, places.taken()), (100, 100));
        }
    }

    #[test]
    fn who_is_in_already_has_a_place_beyond_the_bound() {
        let places = Places::default();
        assert!(places.try_take(Some(1)) && !places.try_take(Some(1)));
        places.take();
        assert_eq!(places.taken(), 2);
        places.give_back();
        assert!(!places.try_take(Some(1)));
        places.give_back();
        places.give_back();
        assert!(places.try_take(Some(1)), "nothing is given back below zero");
    }

    #[test]
    fn the_share_of_all_numbers_is_drawn() {
        for millionths in [0, 1, 50_000, 600_000, 999_999, 1_000_000] {
            let drawn = (0..100_000u64)
                .filter(|n| is_drawn(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), millionths))
                .count();
            let wanted = millionths as usize / 10;
            assert!(drawn.abs_diff(wanted) <= 20, "{millionths}: {drawn}");
        }
    }
}
