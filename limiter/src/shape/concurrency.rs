//! Concurrency: how many of a key's requests may be under way at one time.
//!
//! One key for all is a word that is counted up and down by compare-exchange, without a lock as long as nobody
//! waits. Many keys are kept in maps behind short locks, each key only for as long as it has a request: memory is
//! bounded by the requests under way. Whoever has to wait stands in the order of coming, and a slot that is
//! released goes to the first of them; nobody overtakes.

mod hold_time;
mod keyed;
mod lone;

pub use hold_time::HoldTime;
pub use keyed::Keyed;
pub use lone::Lone;

/// What came of asking for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The slot is taken, and must be released.
    Holds,
    /// In line under this number; the grant comes through the alarm.
    Waits(u64),
    /// Neither a slot nor a place in line is free.
    Full,
}

/// What became of somebody who leaves the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Gone before a slot was granted.
    Line,
    /// The slot was granted already, and must be released.
    Granted,
}
