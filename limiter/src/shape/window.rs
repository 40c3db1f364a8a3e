//! What became of the recent requests: a ring of buckets over the last span of time.

use crate::{
    Nanos,
    sync::{AtomicU64, Ordering::SeqCst, exchange},
};

/// How many buckets a span has. The window slides by one of them at a time.
const BUCKETS: usize = if cfg!(loom) { 2 } else { 10 };

/// Counts over a sliding span, shared by all threads without a lock.
///
/// A bucket's count carries the number of the round it belongs to, so that nobody sweeps: whoever comes first in
/// a new round begins it. Two races are accepted. A thread that is held up between reading a bucket's round and
/// adding to it may add to a later round: each thread is off by one event at the most. And a bucket that nobody
/// touched for exactly 2^24 spans (three months, for a span of half a second) is taken for a fresh one.
#[derive(Debug)]
pub struct Window {
    span: Nanos,
    buckets: [Bucket; BUCKETS],
}

/// All events of a bucket, and the bad ones among them: the round in the upper 24 bits, the count in the others.
#[derive(Debug, Default)]
struct Bucket {
    all: AtomicU64,
    bad: AtomicU64,
}

/// What a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub all: u64,
    pub bad: u64,
}

/// Where a moment lies in the ring.
#[derive(Clone, Copy, Debug)]
struct Place {
    bucket: usize,
    round: u64,
}

const COUNT_BITS: u32 = 40;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const ROUNDS: u64 = 1 << (64 - COUNT_BITS);

impl Window {
    /// An empty window over `span`, of which a shorter one than one nanosecond a bucket is made that long.
    pub fn new(span: Nanos) -> Self {
        Self {
            span: span.max(Nanos(BUCKETS as u64)),
            buckets: std::array::from_fn(|_| Bucket::default()),
        }
    }

    pub fn span(&self) -> Nanos {
        self.span
    }

    /// Counts one event.
    pub fn add(&self, now: Nanos, bad: bool) {
        let place = self.place(now);
        add(&self.buckets[place.bucket].all, place.round);
        // All before bad: whoever sees the bad one sees that it is one of so many.
        if bad {
            add(&self.buckets[place.bucket].bad, place.round);
        }
    }

    /// Counts one more bad event among those that are there.
    pub fn add_bad(&self, now: Nanos) {
        let place = self.place(now);
        add(&self.buckets[place.bucket].bad, place.round);
    }

    /// Takes back what [`Window::add_bad`] counted at the same moment.
    pub fn take_bad_back(&self, now: Nanos) {
        let place = self.place(now);
        let bad = &self.buckets[place.bucket].bad;
        loop {
            let word = bad.load(SeqCst);
            let mine = word >> COUNT_BITS == place.round && word & COUNT > 0;
            if !mine || exchange(bad, word, word - 1) {
                return;
            }
        }
    }

    /// The sum over the last span, of whose oldest bucket only what is left of it.
    pub fn counts(&self, now: Nanos) -> Counts {
        let Place { bucket, round } = self.place(now);
        let mut sum = Counts::default();
        for (index, each) in self.buckets.iter().enumerate() {
            let round = if index <= bucket {
                round
            } else {
                before(round)
            };
            sum.all += count_in(&each.all, round);
            sum.bad += count_in(&each.bad, round);
        }
        sum
    }

    /// Forgets everything. What is counted meanwhile may be forgotten too.
    pub fn reset(&self) {
        for bucket in &self.buckets {
            bucket.all.store(0, SeqCst);
            bucket.bad.store(0, SeqCst);
        }
    }

    fn place(&self, now: Nanos) -> Place {
        let within = u128::from(now.0 % self.span.0) * BUCKETS as u128 / u128::from(self.span.0);
        Place {
            // Less than BUCKETS, because `within` is less than the span.
            bucket: usize::try_from(within).unwrap_or(0),
            round: now.0 / self.span.0 % ROUNDS,
        }
    }
}

fn before(round: u64) -> u64 {
    round.wrapping_sub(1) % ROUNDS
}

/// Adds one to a count, beginning `round` if the bucket is not so far yet.
fn add(word: &AtomicU64, round: u64) {
    loop {
        let found = word.load(SeqCst);
        let ahead = (found >> COUNT_BITS).wrapping_sub(round) % ROUNDS;
        // A later round than ours is one that began while we were held up.
        if ahead < ROUNDS / 2 {
            word.fetch_add(1, SeqCst);
            return;
        }
        if exchange(word, found, round << COUNT_BITS | 1) {
            return;
        }
    }
}

fn count_in(word: &AtomicU64, round: u64) -> u64 {
    let found = word.load(SeqCst);
    if found >> COUNT_BITS == round {
        found & COUNT
    } else {
        0
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Nanos = Nanos::SECOND;

    #[test]
    fn events_leave_the_window_a_span_after_their_bucket_began() {
        let window = Window::new(SECOND);
        let begin = Nanos::from_secs(50);
        window.add(begin, true);
        window.add(begin.plus(Nanos::from_millis(150)), false);
        let at = |millis| window.counts(begin.plus(Nanos::from_millis(millis)));
        assert_eq!(at(150), Counts { all: 2, bad: 1 });
        assert_eq!(at(999), Counts { all: 2, bad: 1 });
        assert_eq!(at(1000), Counts { all: 1, bad: 0 });
        assert_eq!(at(1099), Counts { all: 1, bad: 0 });
        assert_eq!(at(1100), Counts::default());
        assert_eq!(at(1_000_000), Counts::default());
    }

    #[test]
    fn a_bad_one_can_be_taken_back_but_no_more_than_that() {
        let window = Window::new(SECOND);
        let now = Nanos::from_secs(3);
        window.add_bad(now);
        window.take_bad_back(now);
        window.take_bad_back(now);
        assert_eq!(window.counts(now), Counts::default());
        window.add(now, true);
        window.reset();
        assert_eq!(window.counts(now), Counts::default());
    }

    #[test]
    fn no_event_is_lost_between_threads() {
        let window = Window::new(Nanos::from_secs(1000));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for event in 0..10_000 {
                        window.add(SECOND, event % 4 == 0);
                    }
                });
            }
        });
        let sum = window.counts(SECOND);
        assert_eq!((sum.all, sum.bad), (80_000, 20_000));
    }

    proptest! {
        /// Against a list of all events: what is younger than nine tenths of a span is there, what is older than
        /// a span is not, and the rest goes by whole buckets.
        #[test]
        fn it_holds_what_a_list_holds(
            span in 10_u64..5_000,
            steps in proptest::collection::vec((0_u64..2_000, any::<bool>()), 1..200),
        ) {
            let window = Window::new(Nanos(span));
            let (mut now, mut events) = (0, Vec::new());
            for (step, bad) in steps {
                now += step;
                window.add(Nanos(now), bad);
                events.push((now, bad));
                let bucket = |time: u64| u128::from(time) * BUCKETS as u128 / u128::from(span);
                let inside = |time: u64| bucket(time) + BUCKETS as u128 > bucket(now);
                let all = events.iter().filter(|(time, _)| inside(*time)).count() as u64;
                let bad = events.iter().filter(|(time, bad)| *bad && inside(*time)).count() as u64;
                prop_assert_eq!(window.counts(Nanos(now)), Counts { all, bad });
            }
        }
    }
}
