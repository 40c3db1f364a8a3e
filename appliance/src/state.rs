//! What survives a restart and a reboot: what was learned of sources and of servers, in files of the `state` folder.
//!
//! Each [`Part`](part::Part) has a file of its own, so that one that is damaged loses nothing but itself. Nothing about
//! the folder keeps the service from starting: what cannot be read is said and set aside, what cannot be written is
//! said and tried again. While the kernel's maps live they know better of blocks, and that file is only written; it
//! matters after a reboot, and where there is no pre-filter. The files may be a second old after a crash.
//!
//! Who was let in by a gate must not be a second old, and is kept by the gates' own journal in the same folder. Tokens
//! are secrets, and are fetched anew. What is learned anew within seconds, health, bounds that adapt and answers that
//! are counted in a window, is not kept.

mod blocks;
mod breakers;
pub mod file;
mod lock;
mod outliers;
mod part;
mod report;
mod wall;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

pub use report::{Report, StateStatus};

use crate::host::Host;
use lock::{Lock, NoLock};
use part::{Keep, Kept};

/// How old the files may be.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps the files up to date until it is closed.
#[derive(Debug)]
pub struct Keeper {
    /// Dropping it ends the thread, which saves once more.
    held: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Puts back what the folder holds, and saves what changes from now on.
    ///
    /// A folder belongs to one process at a time. Where there is a predecessor that hands over, what it has written by
    /// now counts at once, and the rest when it lets go of the folder.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn open(host: &Arc<Host>, folder: &Path) -> io::Result<Self> {
        let mut work = Work {
            host: Arc::clone(host),
            folder: folder.to_owned(),
            lock: None,
            parts: vec![
                Box::new(Kept::<blocks::Blocks>::at(folder)),
                Box::new(Kept::<breakers::Breakers>::at(folder)),
                Box::new(Kept::<outliers::Outliers>::at(folder)),
            ],
        };
        match work.take_lock() {
            Err(NoLock::Taken { .. }) if !host.state.waits_for_predecessor() => {}
            _ => work.restore(),
        }
        let (held, released) = mpsc::channel::<()>();
        let thread = thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || work.go_on(&released))?;
        Ok(Self { held, thread })
    }

    /// Saves once more and ends.
    pub fn close(self) {
        drop(self.held);
        // A panic in the thread was reported by the panic hook already.
        let _ = self.thread.join();
    }
}

/// What the thread works with.
struct Work {
    host: Arc<Host>,
    folder: PathBuf,
    /// None while the folder is somebody else's, or nothing can be written there.
    lock: Option<Lock>,
    parts: Vec<Box<dyn Keep>>,
}

impl Work {
    fn go_on(mut self, released: &mpsc::Receiver<()>) {
        loop {
            let over = released.recv_timeout(EVERY) != Err(mpsc::RecvTimeoutError::Timeout);
            if self.lock.is_none() && self.take_lock().is_ok() {
                // What whoever had the folder has written meanwhile.
                self.restore();
            }
            if self.lock.is_some() {
                for part in &mut self.parts {
                    part.save(&self.host);
                }
            }
            if over {
                return;
            }
        }
    }

    fn take_lock(&mut self) -> Result<(), NoLock> {
        let taken = file::make_folder(&self.folder)
            .map_err(|error| NoLock::Failed(error.into()))
            .and_then(|()| Lock::take(&self.folder));
        let report = &self.host.state;
        let is_expected =
            |why: &&NoLock| matches!(why, NoLock::Taken { .. }) && report.waits_for_predecessor();
        let why = taken.as_ref().err().filter(|why| !is_expected(why));
        report.note("the folder", why.map(ToString::to_string));
        self.lock = Some(taken?);
        Ok(())
    }

    fn restore(&mut self) {
        for part in &mut self.parts {
            part.restore(&self.host, self.lock.is_some());
        }
    }
}
