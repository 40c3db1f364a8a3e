//! The book of blocks: who is blocked, why, since when, and how much was dropped.
//!
//! The book lies in memory that the kernel and the process both map, so it outlives the process. It is a
//! list for people and no part of the verdict: a block *is* its cell in the flow table, whose time is the
//! block's end. A record whose cell is not live any more is free.
//!
//! A block's record is one of the [`CANDIDATES`] that begin at its flow's [`home`](crate::FlowId::home);
//! the kernel probes the same four when it drops a packet, and adds to [`PACKETS`] and [`BYTES`].
//! This file is what both sides must agree on.

#[cfg(feature = "std")]
mod book;
#[cfg(feature = "std")]
mod record;

#[cfg(feature = "std")]
pub use book::{Block, BlockBook, BlockEntry, Opened};
#[cfg(feature = "std")]
pub use record::{By, REASON_MAX, Record};

use crate::FlowId;

/// Bytes of one record: two cache lines, of which the kernel touches the first.
pub const RECORD_BYTES: usize = 128;

/// Offset of the block's fingerprint, a `u64`; zero in a record that was never used or is being written.
pub const FINGERPRINT: usize = 0;

/// Offset of the number of packets dropped, a `u64` that is only ever added to while the block lasts.
pub const PACKETS: usize = 8;

/// Offset of the number of bytes dropped, a `u64` that is only ever added to while the block lasts.
pub const BYTES: usize = 16;

/// How many records a block may be kept in.
pub const CANDIDATES: u64 = 4;

/// The index of a block's `nth` candidate in a book of `mask + 1` records.
#[inline(always)]
pub const fn candidate(block: FlowId, nth: u64, mask: u64) -> u64 {
    block.home().wrapping_add(nth) & mask
}
