//! Entries in buckets: two levels, of which the second takes what does not fit into the first.

use floodwall_limiter::Secret;
use floodwall_xdp_abi::list::{self, Family, Shape, Value};

/// One family's buckets, filled.
pub(super) struct Buckets {
    /// The buckets, one after the other.
    pub(super) words: Vec<u64>,
    /// What places are hashed with.
    pub(super) keys: [u64; 3],
    /// Buckets of each level.
    pub(super) first: u32,
    pub(super) second: u32,
}

impl Buckets {
    /// Places every entry. The keys of the entries are distinct.
    ///
    /// The first level is filled to a half, so that of IPv4's buckets one in twenty is full; the second has two
    /// buckets for an entry. Should even there too many meet, all is done again with other keys and a larger
    /// second level.
    pub(super) fn place<F: Family>(entries: &[(F::Key, Value)], secret: Secret) -> Self {
        let first = size(entries.len().div_ceil(F::SLOTS / 2));
        for attempt in 0.. {
            let keys = keys(secret, attempt);
            let mut levels = Levels::<F>::of(keys, first);
            let over = levels.fill_first(entries);
            if levels.fill_second(&over, size(over.len() << (1 + attempt))) {
                return levels.done();
            }
        }
        unreachable!("the numbers of attempts do not end")
    }
}

/// A number of buckets as the program takes it; memory ends far below its end.
fn size(buckets: usize) -> u32 {
    u32::try_from(buckets).unwrap_or(u32::MAX)
}

/// The attempt's keys. Who does not know the flow table's secret knows none of them.
fn keys(secret: Secret, attempt: u64) -> [u64; 3] {
    [0, 1, 2].map(|word| secret.hash_words([u64::from_be_bytes(*b"prefixes"), attempt, word]))
}

struct Levels<F: Family> {
    shape: Shape,
    words: Vec<u64>,
    /// Entries in each bucket.
    used: Vec<u8>,
    family: std::marker::PhantomData<F>,
}

impl<F: Family> Levels<F> {
    fn of(keys: [u64; 3], first: u32) -> Self {
        let shape = Shape {
            keys,
            first,
            ..Shape::EMPTY
        };
        Self {
            shape,
            words: vec![0; first as usize * F::WORDS],
            used: vec![0; first as usize],
            family: std::marker::PhantomData,
        }
    }

    /// Fills the first level, and tells what did not fit.
    fn fill_first(&mut self, entries: &[(F::Key, Value)]) -> Vec<(F::Key, Value)> {
        let mut over = Vec::new();
        for entry in entries {
            let bucket = list::first(self.shape, F::hash(entry.0, self.shape.keys));
            if !self.put(bucket, *entry) {
                over.push(*entry);
            }
        }
        over
    }

    /// Makes a second level of so many buckets, and says whether all fit.
    fn fill_second(&mut self, over: &[(F::Key, Value)], buckets: u32) -> bool {
        self.shape.second = buckets;
        let buckets = (self.shape.first + self.shape.second) as usize;
        self.words.resize(buckets * F::WORDS, 0);
        self.used.resize(buckets, 0);
        over.iter().all(|entry| {
            let bucket = list::second(self.shape, F::hash(entry.0, self.shape.keys));
            self.put(bucket, *entry)
        })
    }

    fn put(&mut self, bucket: u32, (key, value): (F::Key, Value)) -> bool {
        let bucket = bucket as usize;
        let slot = usize::from(self.used[bucket]);
        if slot == F::SLOTS {
            return false;
        }
        let words = &mut self.words[bucket * F::WORDS..][..F::WORDS];
        F::write(words, slot, key, value);
        self.used[bucket] += 1;
        true
    }

    fn done(self) -> Buckets {
        Buckets {
            words: self.words,
            keys: self.shape.keys,
            first: self.shape.first,
            second: self.shape.second,
        }
    }
}
