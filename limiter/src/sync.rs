//! The one door to atomics and locks: the language's, or loom's when the models run.

use std::sync::{PoisonError, TryLockError};

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

/// A lock that is never poisoned: what it protects is changed in steps that cannot panic half-way.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(Inner<T>);

#[cfg(loom)]
use loom::sync::{Mutex as Inner, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Mutex as Inner, MutexGuard};

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, unless somebody else has it at this moment.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

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
