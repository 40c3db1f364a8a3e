//! A count with an end, in the time word of one cell: how many times something happened before a deadline.
//!
//! The deadline is kept to 65 us, which leaves the low bits for the count.

use crate::Nanos;

/// A small number that is forgotten at `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    pub until: Nanos,
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
