//! Drawing lots.

use super::super::chance;

/// Servers with as many lots as their weights say.
#[derive(Debug)]
pub(in super::super) struct Lots {
    /// Where each server's lots end; those of the next begin there.
    ends: Vec<u64>,
}

impl Lots {
    pub(super) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let ends = weights.scan(0, |end, weight| {
            *end += u64::from(weight);
            Some(*end)
        });
        Self {
            ends: ends.collect(),
        }
    }

    /// Draws a server; none when there is none.
    pub(super) fn draw(&self) -> Option<usize> {
        let lot = chance::below(*self.ends.last()?);
        Some(self.ends.partition_point(|end| *end <= lot))
    }
}
