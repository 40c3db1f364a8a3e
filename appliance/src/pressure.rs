//! How hard the machine is working, or the container that the process is kept in: sampled by one thread, read by
//! all the others with a plain load.
//!
//! In a control group with a limit (cgroup v2) processor and memory are measured against the tightest limit on the
//! way up to the root; without any they are the host's. Stalls are those of the process's own group, else the
//! host's. The load average knows no groups: it is always the host's.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use floodwall_config::{Resource, Stalled, units::Share};

mod cgroup;
mod cpu;
mod file;
mod memory;
mod sampler;
mod stall;

pub use sampler::Sampler;

/// What was read last. A number that this machine does not give is none.
#[derive(Debug, Default)]
pub struct Readings {
    cpu: Reading,
    load: Reading,
    memory_used: Reading,
    memory_limit: Reading,
    stalls: [[Reading; 2]; 3],
}

/// A number, or none: kept one higher, so that nothing is zero.
#[derive(Debug, Default)]
struct Reading(AtomicU64);

impl Reading {
    fn get(&self) -> Option<u64> {
        self.0.load(Relaxed).checked_sub(1)
    }

    fn set(&self, value: Option<u64>) {
        self.0
            .store(value.map_or(0, |value| value.saturating_add(1)), Relaxed);
    }

    fn share(&self) -> Option<Share> {
        let millionths = u32::try_from(self.get()?).unwrap_or(u32::MAX);
        Some(Share::of_millionths(millionths))
    }
}

impl Readings {
    /// Of the processor time there is, the part that was used, smoothed over half a second.
    pub fn cpu(&self) -> Option<Share> {
        self.cpu.share()
    }

    /// The load average of one minute for each core, in thousandths.
    pub fn load(&self) -> Option<u64> {
        self.load.get()
    }

    /// Of the memory there is, the part that cannot be had without taking it from somebody.
    pub fn memory(&self) -> Option<Share> {
        let (used, limit) = (self.memory_used()?, self.memory_limit()?);
        Some(memory::share(used, limit))
    }

    /// Bytes of [`Readings::memory`]: the working set of the tightest group, or what is not available on the host.
    pub fn memory_used(&self) -> Option<u64> {
        self.memory_used.get()
    }

    /// Bytes that [`Readings::memory`] is measured against.
    pub fn memory_limit(&self) -> Option<u64> {
        self.memory_limit.get()
    }

    /// The part of the last ten seconds in which tasks waited for a resource (`avg10` of the kernel's pressure
    /// stall information).
    pub fn stall(&self, resource: Resource, stalled: Stalled) -> Option<Share> {
        self.stalls[resource as usize][stalled as usize].share()
    }

    /// Takes over one sample.
    fn publish(&self, sample: &sampler::Sample) {
        self.cpu.set(sample.cpu);
        self.load.set(sample.load);
        let memory = sample.memory;
        self.memory_used.set(memory.map(|memory| memory.used));
        self.memory_limit.set(memory.map(|memory| memory.limit));
        for (kept, read) in self
            .stalls
            .iter()
            .flatten()
            .zip(sample.stalls.iter().flatten())
        {
            kept.set(*read);
        }
    }
}

/// The thread that samples, for as long as this lives.
#[derive(Debug)]
pub struct Watch {
    /// Dropping it ends the thread.
    held: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How often is sampled: often enough to shed within a second, and too seldom to show in a profile.
const EVERY: Duration = Duration::from_millis(250);

impl Watch {
    /// Samples the machine whose file systems are under `root`, now and four times a second from now on.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(root: &Path, readings: Arc<Readings>) -> io::Result<Self> {
        let mut sampler = Sampler::open(root);
        readings.publish(&sampler.sample(Instant::now()));
        let (held, released) = mpsc::channel::<()>();
        let thread = thread::Builder::new()
            .name("pressure".to_owned())
            .spawn(move || {
                while released.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                    readings.publish(&sampler.sample(Instant::now()));
                }
            })?;
        Ok(Self {
            held: Some(held),
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.held.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_watch_sees_what_changes_and_none_is_left_after_its_end() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("proc/loadavg");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "1.00 0 0\n").unwrap();
        let readings = Arc::new(Readings::default());
        assert_eq!(readings.load(), None);
        let watch = Watch::start(root.path(), Arc::clone(&readings)).unwrap();
        assert_eq!(
            readings.load(),
            Some(1_000),
            "there is a first look at once"
        );
        assert_eq!(readings.memory(), None, "this machine has none");
        fs::write(&file, "2.50 0 0\n").unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while readings.load() != Some(2_500) {
            assert!(Instant::now() < deadline, "still {:?}", readings.load());
            thread::sleep(EVERY / 10);
        }
        drop(watch);
        assert_eq!(Arc::strong_count(&readings), 1, "the thread has ended");
    }
}
