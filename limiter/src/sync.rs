//! The one door to atomics: `core`'s, or loom's when the models run.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

/// Replaces a word if it is `from`, in one order with every other exchange, and tells whether it was.
#[inline(always)]
pub(crate) fn exchange(word: &AtomicU64, from: u64, to: u64) -> bool {
    total_order();
    let done = word.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
    total_order();
    done.is_ok()
}

#[cfg(not(loom))]
#[inline(always)]
fn total_order() {}

/// loom takes sequentially consistent accesses for acquire and release, but knows such fences.
#[cfg(loom)]
fn total_order() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}
