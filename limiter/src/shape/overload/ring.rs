//! A sliding window over one number: a ring of words, each of which carries its own time.
//!
//! A word is the number of its turn in the high 24 bits and a value in the low 40. Whoever finds a word of an
//! earlier turn replaces it, whoever finds one of the same turn joins its own value to it, in one compare-exchange:
//! nothing is lost, nobody sweeps, and a window that nobody fed for a while is empty.
//!
//! Turn numbers repeat after 2^24 spans, 97 days of half seconds: a word that was neither written nor overwritten
//! for exactly so long would count again, for one span.

use crate::{
    Nanos,
    sync::{AtomicU64, Ordering},
};

/// Words of a ring.
pub(super) const TURNS: usize = if cfg!(loom) { 2 } else { 20 };

const VALUE_BITS: u32 = 40;

/// The highest value of a word; what is higher is this.
pub(super) const MOST: u64 = (1 << VALUE_BITS) - 1;

#[derive(Debug)]
pub(super) struct Ring {
    /// How long one word is written to.
    span: Nanos,
    words: [AtomicU64; TURNS],
}

impl Ring {
    pub(super) fn of(span: Nanos) -> Self {
        Self {
            span,
            words: [(); TURNS].map(|()| AtomicU64::new(0)),
        }
    }

    /// Joins a value to those of the present turn, or begins the turn with it.
    #[inline]
    pub(super) fn note(&self, now: Nanos, value: u64, join: impl Fn(u64, u64) -> u64) {
        let turn = self.turn(now);
        let (word, tag) = (self.word(turn), turn << VALUE_BITS);
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let joined = match of_turn(seen, turn) {
                Some(before) => join(before, value),
                None => value,
            };
            let next = tag | joined.min(MOST);
            if next == seen {
                return;
            }
            match word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }

    /// The values of the youngest `turns`, the present one first. A turn in which nothing was noted has none.
    pub(super) fn youngest(&self, now: Nanos, turns: usize) -> impl Iterator<Item = u64> {
        let present = self.turn(now);
        (0..turns.min(TURNS) as u64).filter_map(move |back| {
            // Turns count from one: no word is of turn zero, but for those that nobody wrote yet.
            let turn = present.checked_sub(back).filter(|turn| *turn > 0)?;
            of_turn(self.word(turn).load(Ordering::Relaxed), turn)
        })
    }

    fn turn(&self, now: Nanos) -> u64 {
        now.0 / self.span.0 + 1
    }

    #[expect(clippy::cast_possible_truncation, reason = "the remainder is an index")]
    fn word(&self, turn: u64) -> &AtomicU64 {
        &self.words[(turn % TURNS as u64) as usize]
    }
}

/// The value of a word, when it is of this turn.
fn of_turn(word: u64, turn: u64) -> Option<u64> {
    (word >> VALUE_BITS == (turn << VALUE_BITS) >> VALUE_BITS).then_some(word & MOST)
}
