//! The flow table's cells in a map value.

use core::{
    intrinsics::{AtomicOrdering::SeqCst, atomic_cxchg},
    ptr,
};

use floodwall_limiter::set::{Cells, WAYS};

use crate::rules;

/// One set of the flow table.
#[derive(Clone, Copy)]
pub(crate) struct Set(*mut u64);

impl Set {
    /// # Safety
    /// `words` points to the eight words of a set in a map value.
    #[inline(always)]
    pub(crate) unsafe fn at(words: *mut u64) -> Self {
        Self(words)
    }

    #[inline(always)]
    fn word(self, index: usize) -> *mut u64 {
        // SAFETY: both callers stay below eight words.
        unsafe { self.0.add(index) }
    }

    #[inline(always)]
    fn load(self, index: usize) -> u64 {
        // SAFETY: the word is there and aligned. A volatile load of a word is one instruction, and BPF
        // loads are not reordered before an earlier exchange, which is a full barrier.
        unsafe { ptr::read_volatile(self.word(index)) }
    }

    #[inline(always)]
    fn swap(self, index: usize, from: u64, to: u64) -> bool {
        // SAFETY: the word is there and aligned, and changed by compare-exchange only.
        unsafe { atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(self.word(index), from, to).1 }
    }
}

impl Cells for Set {
    // Retries are made around a global function, which the verifier looks at once: see `budget`.
    const ATTEMPTS: usize = 1;

    #[inline(always)]
    fn fingerprint(&self, way: usize) -> u64 {
        self.load(way % WAYS * 2)
    }

    #[inline(always)]
    fn time(&self, way: usize) -> u64 {
        self.load(way % WAYS * 2 + 1)
    }

    #[inline(always)]
    fn swap_fingerprint(&self, way: usize, from: u64, to: u64) -> bool {
        self.swap(way % WAYS * 2, from, to)
    }

    #[inline(always)]
    fn swap_time(&self, way: usize, from: u64, to: u64) -> bool {
        self.swap(way % WAYS * 2 + 1, from, to)
    }

    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        rules::forget(number)
    }
}
