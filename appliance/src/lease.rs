//! The sign of life that the kernel's filter waits for: a dead man's switch that this thread holds down.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::host::Host;

/// A lease that is renewed until it is left.
#[derive(Debug)]
pub struct Lease {
    host: Arc<Host>,
    /// Dropping it ends the thread.
    held: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

/// How often it is renewed: the shortest `outlive` is a few times as long.
const EVERY: Duration = Duration::from_millis(250);

impl Lease {
    /// Renews the lease now, and four times a second from now on.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn renewing(host: Arc<Host>) -> io::Result<Self> {
        renew(&host);
        let (held, released) = mpsc::channel::<()>();
        let keeper = Arc::clone(&host);
        let thread = thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || {
                while released.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                    renew(&keeper);
                }
            })?;
        Ok(Self { host, held, thread })
    }

    /// Renews it no more: a successor does.
    pub fn hand_on(self) {
        drop(self.held);
        // A panic in the thread was reported by the panic hook already.
        let _ = self.thread.join();
    }

    /// Renews it no more, and leaves the kernel with the little that a clean end grants.
    pub fn leave(self) {
        drop(self.held);
        // A panic in the thread was reported by the panic hook already.
        let _ = self.thread.join();
        self.host.kernel.leave();
    }
}

fn renew(host: &Host) {
    host.kernel.renew();
}
