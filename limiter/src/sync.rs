//! The one door to atomics and locks: the language's, or loom's when the models run.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

#[cfg(not(loom))]
pub(crate) use plain::Mutex;
#[cfg(loom)]
pub(crate) use watched::Mutex;

#[cfg(not(loom))]
mod plain {
    use std::sync::{MutexGuard, PoisonError, TryLockError};

    /// A lock that is never poisoned: what it protects is changed in steps that cannot panic half-way.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
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
}

/// loom's lock, which alone does not tell a failed attempt from one that came later: a word beside it does.
#[cfg(loom)]
mod watched {
    use std::{
        ops::{Deref, DerefMut},
        sync::PoisonError,
    };

    use super::{AtomicU64, Ordering::SeqCst};

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T> {
        inner: loom::sync::Mutex<T>,
        held: AtomicU64,
    }

    pub(crate) struct Guard<'a, T> {
        inner: loom::sync::MutexGuard<'a, T>,
        held: &'a AtomicU64,
    }

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self {
                inner: loom::sync::Mutex::new(value),
                held: AtomicU64::new(0),
            }
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            self.guard(self.inner.lock().unwrap_or_else(PoisonError::into_inner))
        }

        pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
            if self.held.load(SeqCst) > 0 {
                return None;
            }
            self.inner.try_lock().ok().map(|inner| self.guard(inner))
        }

        fn guard<'a>(&'a self, inner: loom::sync::MutexGuard<'a, T>) -> Guard<'a, T> {
            self.held.store(1, SeqCst);
            Guard {
                inner,
                held: &self.held,
            }
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.inner
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.inner
        }
    }

    impl<T> Drop for Guard<'_, T> {
        fn drop(&mut self) {
            self.held.store(0, SeqCst);
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
