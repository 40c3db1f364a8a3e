//! Which keys a limit sees most: a space-saving sketch (Metwally, Agrawal, El Abbadi, "Efficient computation of
//! frequent and top-k elements in data streams", 2005).
//!
//! A [`Sketch`] has a fixed number of counters. A key that has none takes over the lowest one, and inherits its
//! count as its possible error. So of `n` requests every key with more than `n / COUNTERS` is among the counters,
//! and a count is never too low, and too high by its error at the most.
//!
//! Under load not every request is looked at: of those beyond the first thousand of a minute that a thread counts, one
//! in sixteen stands for all of them. A count of `c` is then off by some `4 * sqrt(c)` beside its error, and what a
//! flood costs here is a few nanoseconds a request.

use std::{cell::Cell, sync::atomic::AtomicUsize};

use crate::{
    Nanos,
    sync::{AtomicU64, Mutex, Ordering::Relaxed},
};

mod sketch;

pub use sketch::{COUNTERS, HotKey, Last, Sketch};

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
    /// Requests since the counts were halved. Threads that share a shard may lose some.
    seen: AtomicU64,
}

/// So many requests of a minute are all counted.
const EXACT: u64 = 1_000;

/// Of the others one in so many is, for all of them.
const SAMPLE: u64 = 16;

/// 2^64 divided by the golden ratio: its multiples are spread evenly, and with no short period that the requests of a
/// client could be in step with.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Threads beyond this many share.
pub const SHARDS: usize = if cfg!(loom) { 1 } else { 8 };

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
    /// Counts one request of a key, which `fingerprint` tells from all others, and which goes by the caller's `rule` of
    /// this number. `name` writes the key in words, and is asked only when the key takes over a counter.
    #[inline]
    pub fn count(&self, fingerprint: u64, rule: u64, now: Nanos, name: impl FnOnce(&mut String)) {
        let shard = &self.0[shard()];
        let Some(weight) = shard.weigh() else { return };
        shard.with(|sketch| {
            let sketch = sketch.get_or_insert_with(|| Box::new(Sketch::new(now)));
            if sketch.age(now) {
                shard.seen.store(0, Relaxed);
            }
            sketch.count(fingerprint, Last { at: now, rule }, weight, name);
        });
    }

    /// Notes that a request of a key was refused. All refusals are counted of a key that has a counter.
    pub fn refused(&self, fingerprint: u64) {
        self.0[shard()].with(|sketch| {
            if let Some(sketch) = sketch {
                sketch.refused(fingerprint);
            }
        });
    }

    /// The `most` hottest keys of all threads together, the hottest first.
    pub fn hottest(&self, most: usize, now: Nanos) -> Vec<HotKey> {
        let sketch = |shard: &Shard| shard.sketch.lock().as_deref().cloned();
        sketch::merge(self.0.iter().filter_map(sketch).collect(), now, most)
    }
}

impl Shard {
    /// How many requests this one stands for; none when another one stands for it.
    fn weigh(&self) -> Option<u64> {
        let seen = self.seen.load(Relaxed);
        self.seen.store(seen + 1, Relaxed);
        if seen < EXACT {
            return Some(1);
        }
        let picked = seen.wrapping_mul(GOLDEN) < u64::MAX / SAMPLE;
        picked.then_some(SAMPLE)
    }

    /// Gives the sketch to `work`, unless somebody else has it at this moment.
    fn with(&self, work: impl FnOnce(&mut Option<Box<Sketch>>)) {
        let Some(mut sketch) = self.sketch.try_lock() else {
            self.missed.fetch_add(1, Relaxed);
            return;
        };
        if let Some(sketch) = sketch.as_mut()
            && self.missed.load(Relaxed) > 0
        {
            sketch.miss(self.missed.swap(0, Relaxed));
        }
        work(&mut sketch);
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
                    for _ in 0..100 {
                        hot.count(7, 0, Nanos::ZERO, |name| name.push_str("seven"));
                    }
                    hot.count(100 + thread, 0, Nanos::ZERO, |name| name.push_str("lone"));
                    hot.refused(100 + thread);
                });
            }
        });
        let hottest = hot.hottest(2, Nanos::ZERO);
        assert_eq!(hottest[0].name, "seven");
        // Four threads have four sketches, unless the tests beside this one have taken some.
        let unsure = hottest[0].error;
        assert!(
            (400..=400 + unsure).contains(&hottest[0].requests),
            "{hottest:?}"
        );
        assert_eq!(hottest[0].refused, 0);
        assert_eq!(hottest[1].name, "lone");
    }

    #[test]
    fn of_a_flood_one_in_sixteen_stands_for_all_and_the_estimate_is_close() {
        let hot = HotKeys::default();
        for request in 0..160_000_u64 {
            let key = if request % 10 < 3 { 1 } else { 2 + request % 7 };
            hot.count(key, 0, Nanos::ZERO, |name| name.push_str(&key.to_string()));
        }
        let hottest = hot.hottest(1, Nanos::ZERO).remove(0);
        assert_eq!((hottest.name.as_str(), hottest.error), ("1", 0));
        // Four standard deviations are three percent here.
        assert!((46_500..=49_500).contains(&hottest.requests), "{hottest:?}");
        let all: u64 = hot
            .hottest(99, Nanos::ZERO)
            .iter()
            .map(|key| key.requests)
            .sum();
        assert!((159_000..=161_000).contains(&all), "{all}");
    }

    #[test]
    fn a_limit_that_nobody_asks_has_no_sketch() {
        let hot = HotKeys::default();
        assert!(hot.hottest(10, Nanos::ZERO).is_empty());
        assert!(hot.0.iter().all(|shard| shard.sketch.lock().is_none()));
    }
}
