//! CLOCK_MONOTONIC in nanoseconds, as the kernel's program and Floodwall read it.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds since boot, not counting suspension.
pub(crate) fn monotonic_ns() -> anyhow::Result<u64> {
    ns(ClockId::CLOCK_MONOTONIC)
}

/// CPU time of the calling thread, with the softirqs that ran on its back.
pub(crate) fn thread_cpu_ns() -> anyhow::Result<u64> {
    ns(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn ns(clock: ClockId) -> anyhow::Result<u64> {
    let time = clock_gettime(clock)?;
    let (seconds, nanos) = (
        u64::try_from(time.tv_sec())?,
        u64::try_from(time.tv_nsec())?,
    );
    Ok(seconds * 1_000_000_000 + nanos)
}
