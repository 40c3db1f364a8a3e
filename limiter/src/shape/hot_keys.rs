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
pub struct HotKeys([Shard; SHARDS]);

#[derive(Debug, Default)]
struct Shard {
    sketch: Mutex<Option<Box<Sketch>>>,
    /// Requests and refusals that the sketch does not know of yet.
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
        let shard = &self.0[shard()];
        let mut sketch = match shard.sketch.try_lock() {
            Ok(sketch) => sketch,
            // Whoever panicked did so in `name`: the sketch is whole, but for a name.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                shard.missed.fetch_add(1, Relaxed);
                return;
            }
        };
        if let Some(sketch) = sketch.as_mut()
            && shard.missed.load(Relaxed) > 0
        {
            sketch.miss(shard.missed.swap(0, Relaxed));
        }
        work(&mut sketch);
    }

    /// The `most` hottest keys of all threads together, the hottest first.
    pub fn hottest(&self, most: usize, now: Nanos) -> Vec<HotKey> {
        let sketch = |shard: &Shard| shard.lock().as_deref().cloned();
        sketch::merge(self.0.iter().filter_map(sketch).collect(), now, most)
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Option<Box<Sketch>>> {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        // Four threads have four sketches, unless the tests beside this one have taken some.
        let unsure = hottest[0].error;
        assert!(
            (4_000..=4_000 + unsure).contains(&hottest[0].requests),
            "{hottest:?}"
        );
        assert_eq!(hottest[0].refused, 0);
        assert_eq!(hottest[1].name, "lone");
    }

    #[test]
    fn a_limit_that_nobody_asks_has_no_sketch() {
        let hot = HotKeys::default();
        assert!(hot.hottest(10, Nanos::ZERO).is_empty());
        assert!(hot.0.iter().all(|shard| shard.lock().is_none()));
    }
}
