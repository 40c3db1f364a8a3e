//! Which keys a limit sees most: a space-saving sketch (Metwally, Agrawal, El Abbadi, "Efficient computation of
//! frequent and top-k elements in data streams", 2005).
//!
//! A [`Sketch`] has a fixed number of counters. A key that has none takes over the lowest one, and inherits its
//! count as its possible error. So of `n` requests every key with more than `n / COUNTERS` is among the counters,
//! and a count is never too low, and too high by its error at the most.

use std::{
    cell::Cell,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use crate::Nanos;

mod sketch;

pub use sketch::{COUNTERS, HotKey, Sketch};

/// The hottest keys of one limit, counted by all threads.
///
/// Each thread has a sketch of its own most of the time, so that nobody waits: a thread that finds its sketch in
/// use leaves its request out and counts it as missed, which adds to every key's error. A limit that nobody asks
/// has no memory here; one that is asked has at most [`SHARDS`] sketches.
#[derive(Debug, Default)]
pub struct HotKeys {
    shards: [Mutex<Option<Box<Sketch>>>; SHARDS],
    missed: AtomicU64,
}

/// Threads beyond this many share.
pub const SHARDS: usize = 8;

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The shard of the calling thread: each new thread gets the next one.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|shard| {
        shard.get().unwrap_or_else(|| {
            let next = NEXT.fetch_add(1, Relaxed) % SHARDS;
            shard.set(Some(next));
            next
        })
    })
}

impl HotKeys {
    /// Counts one request of a key, which `fingerprint` tells from all others. `name` writes the key in words, and is
    /// asked only when the key takes over a counter.
    #[inline]
    pub fn count(&self, fingerprint: u64, now: Nanos, name: impl FnOnce(&mut String)) {
        self.with_mine(|sketch| {
            sketch
                .get_or_insert_with(|| Box::new(Sketch::new(now)))
                .count(fingerprint, now, name);
        });
    }

    /// Notes that the request which the calling thread counted last for this key was refused.
    pub fn refused(&self, fingerprint: u64) {
        self.with_mine(|sketch| {
            if let Some(sketch) = sketch {
                sketch.refused(fingerprint);
            }
        });
    }

    /// Gives the calling thread's sketch to `work`, unless somebody else has it at this moment.
    fn with_mine(&self, work: impl FnOnce(&mut Option<Box<Sketch>>)) {
        match self.shards[shard()].try_lock() {
            Ok(mut sketch) => work(&mut sketch),
            // Whoever panicked did so in `name`: the sketch is whole, but for a name.
            Err(TryLockError::Poisoned(poisoned)) => work(&mut poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                self.missed.fetch_add(1, Relaxed);
            }
        }
    }

    /// The `most` hottest keys of all threads together, the hottest first.
    pub fn hottest(&self, most: usize, now: Nanos) -> Vec<HotKey> {
        let shards = self.shards.iter().map(lock);
        let sketches: Vec<Sketch> = shards
            .filter_map(|shard| shard.as_deref().cloned())
            .collect();
        sketch::merge(sketches, now, most)
    }

    /// Requests and refusals that are in no count, because two threads wanted one sketch, or somebody read it.
    pub fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }
}

fn lock(shard: &Mutex<Option<Box<Sketch>>>) -> MutexGuard<'_, Option<Box<Sketch>>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_threads_are_counted_together() {
        let hot = HotKeys::default();
        thread::scope(|scope| {
            for thread in 0..4_u64 {
                let hot = &hot;
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        hot.count(7, Nanos::ZERO, |name| name.push_str("seven"));
                    }
                    hot.count(100 + thread, Nanos::ZERO, |name| name.push_str("lone"));
                    hot.refused(100 + thread);
                });
            }
        });
        let hottest = hot.hottest(2, Nanos::ZERO);
        assert_eq!(hottest[0].name, "seven");
        assert!(hottest[0].requests + hot.missed() >= 4_000);
        assert_eq!((hottest[0].error, hottest[0].refused), (0, 0));
        assert_eq!((hottest[1].requests, hottest[1].refused), (1, 1));
    }

    #[test]
    fn a_limit_that_nobody_asks_has_no_sketch() {
        let hot = HotKeys::default();
        assert!(hot.hottest(10, Nanos::ZERO).is_empty());
        assert!(hot.shards.iter().all(|shard| lock(shard).is_none()));
    }
}
