//! One look at everything.

use std::{fs, path::Path, time::Instant};

use super::{
    cgroup,
    cpu::Cpu,
    file::Source,
    memory::{Memory, Usage},
    stall::{self, Pressures, Stalls},
};

/// The open files of one machine, and where its counters stood.
#[derive(Debug)]
pub struct Sampler {
    cpu: Cpu,
    memory: Memory,
    pressures: Pressures,
    load: Option<Source>,
    cores: u64,
}

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Millionths.
    pub(super) cpu: Option<u64>,
    /// Thousandths for each core.
    pub(super) load: Option<u64>,
    pub(super) memory: Option<Usage>,
    /// Millionths.
    pub(super) stalls: [Stalls; 3],
}

impl Sampler {
    /// Opens the files under `root`, which is `/` but for tests. What is not there is not sampled.
    pub fn open(root: &Path) -> Self {
        let groups = cgroup::groups(root);
        Self {
            cpu: Cpu::open(root, &groups),
            memory: Memory::open(root, &groups),
            pressures: Pressures::open(root, &groups),
            load: Source::open(&root.join("proc/loadavg")),
            cores: cores(root),
        }
    }

    pub(super) fn sample(&mut self, now: Instant) -> Sample {
        let load = self.load.as_ref();
        let load =
            load.and_then(|file| file.read(|text| stall::hundredths(text.split(' ').next()?)));
        Sample {
            cpu: self.cpu.sample(now),
            load: load.map(|hundredths| hundredths * 10 / self.cores),
            memory: self.memory.sample(),
            stalls: self.pressures.sample(),
        }
    }
}

/// The processors of the host: the lines `cpu0`, `cpu1` and so on of `/proc/stat`.
fn cores(root: &Path) -> u64 {
    let stat = fs::read_to_string(root.join("proc/stat")).unwrap_or_default();
    let cores = stat.lines().filter(|line| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    (cores.count() as u64).max(1)
}

#[cfg(test)]
mod tests;
