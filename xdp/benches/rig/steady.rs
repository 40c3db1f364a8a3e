//! What keeps figures steady: one CPU, and medians.

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::{Pid, SysconfVar, sysconf},
};

/// Keeps the calling thread, and those that it starts, to one CPU.
pub(crate) fn keep_to(cpu: usize) -> Result<(), crate::Failure> {
    let mut one = CpuSet::new();
    one.set(cpu)?;
    // Zero is the calling thread.
    sched_setaffinity(Pid::from_raw(0), &one)?;
    Ok(())
}

/// The CPU that devices interrupt the least.
pub(crate) fn last_cpu() -> Result<usize, crate::Failure> {
    let all = sysconf(SysconfVar::_NPROCESSORS_ONLN)?.ok_or("no number of CPUs")?;
    Ok(usize::try_from(all)?.saturating_sub(1))
}

pub(crate) fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
