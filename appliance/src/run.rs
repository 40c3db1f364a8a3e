//! The service's life as a process: `floodwall run`.

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub use crate::boot::BootError;
use crate::{
    boot::Floodwall,
    handover::{Inheritance, Program},
    signals::{Order, Signals},
    systemd::{self, Manager},
};

/// Serves what the file describes until SIGTERM or SIGINT, and reloads it on SIGHUP.
///
/// # Errors
/// [`BootError`] when it does not come to serving.
pub fn run(file: &Path) -> Result<(), BootError> {
    let signals = Signals::claim()?;
    let open_files = open_files()?;
    let manager = Arc::new(Manager::from_environment());
    let program = Program::present()?;
    let mut inheritance = Inheritance::from_environment()?;
    let floodwall = Floodwall::boot(file, Arc::clone(&manager), &mut inheritance)?;
    tracing::debug!(open_files, "as many as the system allows");
    announce(&floodwall, &manager);
    inheritance.ready();
    let mut watchdog = Watchdog::new(&manager);
    let ending = obey(&signals, &floodwall, &program, &mut watchdog)?;
    // A descriptor that fails now is no reason to wait.
    let stops = || {
        signals
            .take()
            .map_or(true, |order| order == Some(Order::Stop))
    };
    match ending {
        Ending::Stopped => {
            manager.stopping("finishing the requests that are under way");
            tracing::info!("stopping: no new connections; a second signal ends the rest at once");
            floodwall.stop(|| {
                watchdog.feed(true);
                stops()
            });
        }
        // The service manager is the successor's from here on.
        Ending::HandedOver => floodwall.retire(stops),
    }
    tracing::info!("stopped");
    Ok(())
}

/// Takes as many open files as the system allows: each connection is one, and one more towards its upstream. The soft
/// bound is small for programs that use select(2), which this is not.
fn open_files() -> io::Result<u64> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    Ok(most)
}

fn announce(floodwall: &Floodwall, manager: &Manager) {
    let service = &floodwall.service;
    let status = service.status();
    for listener in &status.listeners {
        tracing::info!(
            listener = listener.name,
            address = listener.address,
            "listening"
        );
    }
    service.host.kernel.announce();
    let headline = service.reloader.headline();
    tracing::info!(version = status.version, file = %status.generation.file.display(), "serving: {headline}");
    manager.ready(&headline);
}

/// Why this process is not to serve any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Stopped,
    HandedOver,
}

/// Takes signals until one says stop, or a successor serves.
fn obey(
    signals: &Signals,
    floodwall: &Floodwall,
    program: &Program,
    watchdog: &mut Watchdog<'_>,
) -> Result<Ending, BootError> {
    loop {
        match signals.next(watchdog.patience())? {
            // What became of it is in the log, in `status` and in the unit's status line.
            Some(Order::Reload) => drop(floodwall.service.reloader.reload()),
            Some(Order::Reopen) => reopen(floodwall),
            Some(Order::Stop) => return Ok(Ending::Stopped),
            Some(Order::HandOver) if hand_over(floodwall, program, watchdog) => {
                return Ok(Ending::HandedOver);
            }
            Some(Order::HandOver) | None => {}
        }
        watchdog.feed(floodwall.alive());
    }
}

/// Opens the access log again, which `logrotate` has moved away.
fn reopen(floodwall: &Floodwall) {
    match floodwall.service.host.access_log.reopen() {
        Ok(()) => tracing::info!("the access log was opened again"),
        Err(error) => tracing::error!(%error, "the access log goes on to where it went"),
    }
}

/// Starts a successor, and tells whether it serves.
fn hand_over(floodwall: &Floodwall, program: &Program, watchdog: &mut Watchdog<'_>) -> bool {
    tracing::info!("handing over: a new process is started");
    match floodwall.hand_over(program, || watchdog.feed(floodwall.alive())) {
        Ok(successor) => {
            tracing::info!(successor, "handed over: what is under way is finished here");
            true
        }
        Err(failure) => {
            tracing::error!("the service stays with this process: {failure}");
            let headline = floodwall.service.reloader.headline();
            watchdog
                .manager
                .ready(&format!("{headline}; not handed over: {failure}"));
            false
        }
    }
}

/// The service manager's watchdog, which is fed only while requests are served.
#[derive(Debug)]
struct Watchdog<'a> {
    manager: &'a Manager,
    /// Half of what the manager waits for; none when it does not wait.
    every: Option<Duration>,
    fed: Instant,
}

impl<'a> Watchdog<'a> {
    fn new(manager: &'a Manager) -> Self {
        let every = systemd::watchdog_interval().map(|interval| interval / 2);
        Self {
            manager,
            every,
            fed: Instant::now(),
        }
    }

    fn patience(&self) -> Duration {
        match self.every {
            Some(every) => every.saturating_sub(self.fed.elapsed()),
            None => Duration::from_hours(1),
        }
    }

    fn feed(&mut self, alive: bool) {
        if self.every.is_none_or(|every| self.fed.elapsed() < every) {
            return;
        }
        self.fed = Instant::now();
        if alive {
            self.manager.watchdog();
        } else {
            tracing::error!("a thread that serves does not move any more: the watchdog is not fed");
        }
    }
}
