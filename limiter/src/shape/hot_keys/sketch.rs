//! One thread's counters.

use std::collections::HashMap;

use crate::{KeyHash, LimitId, Nanos};

/// Counters of a sketch. A key with more than this part of a thread's requests is surely among them.
pub const COUNTERS: usize = 32;

/// All counts are halved this often, so that the hottest are those of the last minutes and not of last week.
const HALF_LIFE: Nanos = Nanos::from_secs(60);

/// Bytes of a key's name; a longer one is cut.
const NAME_BYTES: usize = 128;

/// A key and how often it came. Counts are halved every minute, so that they weigh the last minutes most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// The key in words, cut after 128 bytes.
    pub name: String,
    /// What it was counted under.
    pub fingerprint: u64,
    /// How many requests, or fewer: by up to `error`.
    pub requests: u64,
    /// How many of them belong to other keys at the most.
    pub error: u64,
    /// How many of them were refused since the key is watched.
    pub refused: u64,
    pub last: Last,
}

impl HotKey {
    /// The key whose flow under a limit was counted: its hash, but for the lowest bit, which no flow depends on.
    pub const fn key(&self, limit: LimitId) -> KeyHash {
        KeyHash::from_bits(self.fingerprint ^ limit.bits())
    }
}

/// A space-saving sketch.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// Apart from the rest, because it is all that most requests look at. Zero is nobody.
    fingerprints: [u64; COUNTERS],
    counters: [Counter; COUNTERS],
    names: [String; COUNTERS],
    /// Requests that may have been anybody's.
    missed: u64,
    /// When the counts are halved next.
    halves_at: Nanos,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    requests: u64,
    error: u64,
    refused: u64,
    last: Last,
}

/// A request: when it came, and the rule that it went by. Threads have seen others, and the latest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Last {
    pub at: Nanos,
    pub rule: u64,
}

impl Sketch {
    pub fn new(now: Nanos) -> Self {
        Self {
            fingerprints: [0; COUNTERS],
            counters: [Counter::default(); COUNTERS],
            names: [const { String::new() }; COUNTERS],
            missed: 0,
            halves_at: now.plus(HALF_LIFE),
        }
    }

    /// Notes requests that could not be counted: each of them may have been of any key.
    pub fn miss(&mut self, requests: u64) {
        self.missed += requests;
    }

    /// Counts so many requests of a key, as [`super::HotKeys::count`] says.
    pub fn count(
        &mut self,
        fingerprint: u64,
        last: Last,
        requests: u64,
        name: impl FnOnce(&mut String),
    ) {
        // Zero stands for nobody; who hashes to it is one.
        let fingerprint = fingerprint.max(1);
        let at = match self.place_of(fingerprint) {
            Some(at) => at,
            None => self.take_over(fingerprint, name),
        };
        let counter = &mut self.counters[at];
        counter.requests += requests;
        counter.last = last;
    }

    /// Halves the counts when it is time, and tells whether it was.
    pub fn age(&mut self, now: Nanos) -> bool {
        let due = now >= self.halves_at;
        if due {
            self.halve(now);
        }
        due
    }

    /// Notes that a request which was counted was refused.
    pub fn refused(&mut self, fingerprint: u64) {
        if let Some(at) = self.place_of(fingerprint.max(1)) {
            self.counters[at].refused += 1;
        }
    }

    /// All of them are compared, without a branch for each: the compiler makes vector instructions of that.
    fn place_of(&self, fingerprint: u64) -> Option<usize> {
        let matches = self.fingerprints.iter().enumerate();
        let bits = matches.fold(0_u32, |bits, (at, found)| {
            bits | u32::from(*found == fingerprint) << at
        });
        (bits != 0).then(|| bits.trailing_zeros() as usize)
    }

    fn take_over(&mut self, fingerprint: u64, name: impl FnOnce(&mut String)) -> usize {
        let lowest = self
            .counters
            .iter()
            .enumerate()
            .min_by_key(|(_, counter)| counter.requests);
        let (at, counter) = lowest.map_or((0, Counter::default()), |(at, counter)| (at, *counter));
        self.fingerprints[at] = fingerprint;
        self.counters[at] = Counter {
            requests: counter.requests,
            error: counter.requests,
            ..Counter::default()
        };
        let kept = &mut self.names[at];
        kept.clear();
        name(kept);
        kept.truncate(kept.floor_char_boundary(NAME_BYTES));
        kept.shrink_to(2 * NAME_BYTES);
        at
    }

    /// Counts round up and what belongs to others too, so that neither bound is broken by it.
    fn halve(&mut self, now: Nanos) {
        let late = now.minus(self.halves_at).0 / HALF_LIFE.0;
        let halvings = u32::try_from(late).unwrap_or(63).min(62) + 1;
        let half = |count: u64| count.div_ceil(1 << halvings);
        for counter in &mut self.counters {
            *counter = Counter {
                requests: half(counter.requests),
                error: half(counter.error),
                refused: half(counter.refused),
                last: counter.last,
            };
        }
        self.missed = half(self.missed);
        self.halves_at = now.plus(HALF_LIFE);
    }

    /// The most that a key without a counter can have.
    fn floor(&self) -> u64 {
        self.counters
            .iter()
            .map(|counter| counter.requests)
            .min()
            .unwrap_or(0)
    }
}

/// Joins sketches into one list. A key that one of them does not count may have come there as often as that one's
/// lowest counter says: both its count and its error grow by so much.
pub(super) fn merge(mut sketches: Vec<Sketch>, now: Nanos, most: usize) -> Vec<HotKey> {
    for sketch in &mut sketches {
        sketch.age(now);
    }
    let floors: u64 = sketches
        .iter()
        .map(|sketch| sketch.floor() + sketch.missed)
        .sum();
    let mut keys: HashMap<u64, HotKey> = HashMap::new();
    for sketch in &mut sketches {
        let floor = sketch.floor();
        let names = sketch.names.iter_mut().map(std::mem::take);
        let counters = sketch.counters.iter().zip(names);
        for (fingerprint, (counter, name)) in sketch.fingerprints.iter().zip(counters) {
            if *fingerprint == 0 {
                continue;
            }
            let key = keys.entry(*fingerprint).or_insert_with(|| HotKey {
                name,
                fingerprint: *fingerprint,
                requests: floors,
                error: floors,
                refused: 0,
                last: counter.last,
            });
            key.requests += counter.requests - floor;
            key.error = key.error + counter.error - floor;
            key.refused += counter.refused;
            key.last = key.last.max(counter.last);
        }
    }
    let mut keys: Vec<HotKey> = keys.into_values().collect();
    for key in &mut keys {
        // All refusals are counted, and not all requests.
        key.refused = key.refused.min(key.requests);
    }
    keys.sort_by(|a, b| {
        let sure = |key: &HotKey| key.requests - key.error;
        (sure(b), b.requests, &a.name).cmp(&(sure(a), a.requests, &b.name))
    });
    keys.truncate(most);
    keys
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
