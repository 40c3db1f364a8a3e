//! The present, as the kernel's program reads it too.

use floodwall_limiter::{Nanos, clock::Clock};
use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC`: what `bpf_ktime_get_ns` answers in the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    #[inline]
    fn now(&self) -> Nanos {
        // The call fails only for a clock that does not exist; this one always does.
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Nanos::ZERO, |time| {
            Nanos(time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned())
        })
    }
}
