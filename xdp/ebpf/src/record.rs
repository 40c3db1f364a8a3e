//! What a block has dropped, for the book of blocks.

use core::{
    intrinsics::{AtomicOrdering::Relaxed, atomic_xadd},
    ptr,
};

use floodwall_limiter::{FlowId, block};
use floodwall_xdp_abi::maps::BLOCK_RECORDS;

use crate::maps;

/// Adds one packet of so many bytes to the record of a block. A block without a record is enforced all the same.
#[inline(always)]
pub(crate) fn add(flow: FlowId, bytes: u64) {
    for nth in 0..block::CANDIDATES {
        let index = block::candidate(flow, nth, u64::from(BLOCK_RECORDS) - 1);
        let Some(words) = maps::record(index) else {
            return;
        };
        // SAFETY: a record begins with the words that these offsets name; the two counts are only ever
        // added to while the block lasts.
        unsafe {
            if ptr::read_volatile(words.byte_add(block::FINGERPRINT)) == flow.fingerprint() {
                atomic_xadd::<u64, u64, { Relaxed }>(words.byte_add(block::PACKETS), 1);
                atomic_xadd::<u64, u64, { Relaxed }>(words.byte_add(block::BYTES), bytes);
                return;
            }
        }
    }
}
