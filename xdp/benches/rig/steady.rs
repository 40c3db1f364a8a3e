//! What keeps figures steady: one CPU, and medians.

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

/// Keeps the calling thread to the last CPU, which devices interrupt the least.
pub(crate) fn keep_to_one_cpu() -> Result<(), crate::Failure> {
    let last = std::thread::available_parallelism()?.get() - 1;
    let mut one = CpuSet::new();
    one.set(last)?;
    // Zero is the calling thread.
    sched_setaffinity(Pid::from_raw(0), &one)?;
    Ok(())
}

pub(crate) fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
