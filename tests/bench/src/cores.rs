//! Which core is whose: a server must never share one with those who ask it.

use anyhow::bail;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The cores of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// The measured server's, alone.
    server: usize,
    /// The clients'; the origin's too on a machine with two cores.
    load: usize,
    origin: usize,
}

impl Cores {
    /// Takes the first cores that this process may run on.
    pub(crate) fn choose() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(CALLER)?;
        let mut free = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let (Some(server), Some(load)) = (free.next(), free.next()) else {
            bail!("one core is for the server and one for its clients: two are needed");
        };
        let origin = free.next().unwrap_or(load);
        Ok(Self {
            server,
            load,
            origin,
        })
    }

    /// Moves the calling thread, and what it starts from now on, to the clients' core.
    pub(crate) fn pin_load(self) -> anyhow::Result<()> {
        pin(self.load)
    }

    /// Runs `start` on the server's core. Processes that it starts stay there.
    pub(crate) fn on_server<T>(
        self,
        start: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.on(self.server, start)
    }

    /// Runs `start` on the origin's core. Processes that it starts stay there.
    pub(crate) fn on_origin<T>(
        self,
        start: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.on(self.origin, start)
    }

    fn on<T>(self, core: usize, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        pin(core)?;
        let started = start();
        pin(self.load)?;
        started
    }
}

/// As a process id, zero is the calling thread.
const CALLER: Pid = Pid::from_raw(0);

fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(CALLER, &set)?)
}
