//! Interfaces that come and go while the service runs, in the log; and the thread that looks after them.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use floodwall_xdp::{self as xdp, Change, InterfaceState};

use crate::host::Host;

/// Looks after the interfaces until it is dropped.
///
/// A thread of its own: a driver may take a second to accept a program, and the lease may not wait for it.
#[derive(Debug)]
pub struct Caretaker {
    /// Dropping it ends the thread.
    held: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How often interfaces are looked at: some system calls for each.
const EVERY: Duration = Duration::from_millis(250);

impl Caretaker {
    /// # Errors
    /// When there is no thread to be had.
    pub fn over(host: Arc<Host>) -> io::Result<Self> {
        let (held, released) = mpsc::channel::<()>();
        let thread = thread::Builder::new()
            .name("interfaces".to_owned())
            .spawn(move || {
                while released.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                    host.kernel.reconcile();
                }
            })?;
        Ok(Self {
            held: Some(held),
            thread: Some(thread),
        })
    }
}

impl Drop for Caretaker {
    fn drop(&mut self) {
        self.held = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// Tells the log what changed.
pub(super) fn told(changes: Result<Vec<Change>, xdp::Error>) {
    match changes {
        Ok(changes) => changes.iter().for_each(|change| tell(&change.now)),
        Err(error) => tracing::warn!(%error, "interfaces cannot be looked after"),
    }
}

/// Tells the log how an interface is doing.
pub(super) fn tell(status: &xdp::InterfaceStatus) {
    let interface = &status.name;
    match &status.state {
        InterfaceState::Waiting => {
            tracing::warn!(
                interface,
                "not filtered: there is no such interface; when it comes it is"
            );
        }
        InterfaceState::Refused(why) => tracing::warn!(interface, "not filtered: {why}"),
        InterfaceState::Covered(by) => {
            tracing::info!(
                interface,
                "its packets are filtered on {by}, over which they come"
            );
        }
        InterfaceState::Filtering => {
            let (mode, adopted) = (status.mode, status.adopted);
            tracing::info!(interface, %mode, adopted, "filtering packets");
            if let Some(why) = &status.fallback {
                tracing::warn!(interface, "the driver cannot filter, the stack does: {why}");
            }
            if let Some(program) = &status.replaced {
                tracing::warn!(interface, "in the place of another program: {program}");
            }
        }
    }
}
