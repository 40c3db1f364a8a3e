//! How many are inside at one time, and never one more.

use crate::sync::{AtomicU64, Ordering::SeqCst, exchange};

/// A number of things under way. Whoever enters leaves once; a guard around this sees to it.
#[derive(Debug, Default)]
pub struct InFlight(AtomicU64);

impl InFlight {
    /// Takes a place if fewer than `limit` are taken, and tells whether there was one.
    pub fn enter(&self, limit: u64) -> bool {
        loop {
            let inside = self.0.load(SeqCst);
            if inside >= limit {
                return false;
            }
            if exchange(&self.0, inside, inside + 1) {
                return true;
            }
        }
    }

    /// Gives a place back.
    pub fn leave(&self) {
        self.0.fetch_sub(1, SeqCst);
    }

    pub fn now(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;

    #[test]
    fn the_fourth_of_three_is_refused_until_one_leaves() {
        let gauge = InFlight::default();
        assert!([(); 3].iter().all(|()| gauge.enter(3)));
        assert!(!gauge.enter(3));
        gauge.leave();
        assert!(gauge.enter(3));
        assert_eq!(gauge.now(), 3);
        assert!(!InFlight::default().enter(0));
    }

    #[test]
    fn eight_threads_are_never_more_than_three_inside() {
        let (gauge, most) = (InFlight::default(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if gauge.enter(3) {
                            most.fetch_max(gauge.now(), SeqCst);
                            gauge.leave();
                        }
                    }
                });
            }
        });
        assert_eq!(gauge.now(), 0);
        assert!(most.into_inner() <= 3);
    }
}
