//! The one door to time: the clock that the kernel's `bpf_ktime_get_ns` reads too.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::Nanos;

/// A source of the present on `CLOCK_MONOTONIC`.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Nanos;
}

/// A clock that moves only when a test turns it.
#[derive(Clone, Debug, Default)]
pub struct HandCrank(Arc<AtomicU64>);

impl HandCrank {
    /// A clock that shows `now`.
    pub fn at(now: Nanos) -> Self {
        Self(Arc::new(AtomicU64::new(now.0)))
    }

    /// Moves the clock on.
    pub fn turn(&self, by: Nanos) {
        self.0.fetch_add(by.0, Ordering::SeqCst);
    }
}

impl Clock for HandCrank {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::SeqCst))
    }
}
