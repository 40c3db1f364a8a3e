//! `upstreams.NAME.max_in_flight`: how much an upstream is asked at one time.

use crate::read::{Cursor, count};
use crate::section::{COUNT, Shape};

/// How many requests an upstream has at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxInFlight {
    /// At least 1.
    Fixed(u64),
}

pub(super) const SHAPE: Shape = COUNT;

const MOST: u64 = 1_000_000_000;

impl MaxInFlight {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        count(1, MOST)(value).map(Self::Fixed)
    }
}
