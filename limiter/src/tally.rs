//! A count with an end, in the time word of one cell: how many times something happened before a deadline.
//!
//! The deadline is kept to 65 us, which leaves the low bits for the count.

use crate::Nanos;

/// A small number that is forgotten at `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// When it is forgotten, rounded up to the grain when it is stored.
    pub until: Nanos,
    /// How many, up to [`Tally::MOST`].
    pub count: u16,
}

/// Bit 0 of a time word is a claim's, bits 1 to 15 are the count, the rest is the deadline.
const GRAIN: u64 = 1 << 16;

impl Tally {
    /// The highest count there is; one more stays at this.
    pub const MOST: u16 = 0x7fff;

    /// Reads a time word. A word whose deadline has passed counts nothing.
    pub fn read(word: Nanos, now: Nanos) -> Option<Self> {
        let until = Nanos(word.0 & !(GRAIN - 1));
        let count = ((word.0 & (GRAIN - 1)) >> 1) as u16;
        (until > now && count > 0).then_some(Self { until, count })
    }

    /// The time word of this tally. The deadline is rounded up.
    pub fn word(self) -> Nanos {
        let until = self.until.0.saturating_add(GRAIN - 1) & !(GRAIN - 1);
        Nanos(until | u64::from(self.count.min(Self::MOST)) << 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_survives_its_word_and_ends_within_a_grain_of_its_deadline() {
        let now = Nanos::from_secs(3);
        let tally = Tally {
            until: now.plus(Nanos(12_345)),
            count: 7,
        };
        let word = tally.word();
        let read = Tally::read(word, now).unwrap();
        assert_eq!(read.count, 7);
        assert!(read.until >= tally.until && read.until.minus(tally.until) < Nanos(GRAIN));
        assert_eq!(Tally::read(word, read.until), None);
    }

    #[test]
    fn a_word_is_even_and_the_count_stops_at_the_most() {
        for count in [0, 1, Tally::MOST, u16::MAX] {
            let word = Tally {
                until: Nanos(u64::MAX / 2),
                count,
            }
            .word();
            assert_eq!(word.0 & 1, 0);
            assert!(Tally::read(word, Nanos::ZERO).is_none_or(|read| read.count <= Tally::MOST));
        }
    }

    #[test]
    fn the_end_of_the_clock_does_not_wrap() {
        let word = Tally {
            until: Nanos::MAX,
            count: 1,
        }
        .word();
        assert!(word > Nanos(u64::MAX - 2 * GRAIN));
    }
}
