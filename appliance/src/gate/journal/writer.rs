//! The one thread that writes: many changes in one commit, and another try when that fails.

use std::{
    fmt, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use floodwall_limiter::Secret;
use redb::Database;

use super::{
    Change, FILE, Register,
    database::{self, Unusable},
};
use crate::state::{Report, file};

/// Changes of one commit, at most.
const MOST_AT_ONCE: usize = 8192;

/// How often a database is tried that another process has open: a predecessor that drains.
const WHILE_TAKEN: Duration = Duration::from_millis(20);

/// How often one is tried that cannot be used.
const WHILE_STUCK: Duration = Duration::from_secs(1);

/// The other end of the thread.
#[derive(Debug)]
pub(super) struct Writer {
    changes: mpsc::Sender<Change>,
    shared: Arc<Shared>,
    report: Arc<Report>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Those who are in are known.
    known: AtomicBool,
    /// Another process has the database, and will let go of it.
    taken: AtomicBool,
    closing: AtomicBool,
    secret: OnceLock<Secret>,
}

impl Writer {
    /// Opens the database, so that it is known who is in before anybody asks, and starts the thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(
        folder: &Path,
        register: &Arc<Register>,
        report: &Arc<Report>,
    ) -> io::Result<Self> {
        let (changes, received) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let work = Work {
            folder: folder.to_owned(),
            file: folder.join(FILE),
            register: Arc::clone(register),
            shared: Arc::clone(&shared),
            report: Arc::clone(report),
            changes: received,
        };
        let opened = work.open();
        let thread = thread::Builder::new()
            .name("gates".to_owned())
            .spawn(move || work.go_on(opened))?;
        Ok(Self {
            changes,
            shared,
            report: Arc::clone(report),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.shared.known.load(SeqCst) && !self.shared.closing.load(SeqCst)
    }

    /// Whether it is worth waiting until it is known who is in.
    pub(super) fn waits(&self) -> bool {
        self.shared.taken.load(SeqCst) && !self.shared.closing.load(SeqCst)
    }

    pub(super) fn secret(&self) -> Option<Secret> {
        self.shared.secret.get().copied()
    }

    /// Why nothing can be written; none when it can.
    pub(super) fn trouble(&self) -> Option<String> {
        self.report.trouble(FILE)
    }

    pub(super) fn send(&self, change: Change) {
        // Where nobody takes it, it is dropped, which refuses it.
        let _ = self.changes.send(change);
    }

    /// Sends a change, and waits for the answer to it.
    pub(super) fn ask(
        &self,
        change: impl FnOnce(mpsc::Sender<Result<usize, String>>) -> Change,
    ) -> Result<usize, String> {
        let (answer, answered) = mpsc::channel();
        let gone = || "the service is ending".to_owned();
        self.changes.send(change(answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }

    /// Ends the thread after what is under way.
    pub(super) fn close(&self) {
        self.shared.closing.store(true, SeqCst);
        self.send(Change::Close);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A panic in the thread was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Work {
    folder: PathBuf,
    file: PathBuf,
    register: Arc<Register>,
    shared: Arc<Shared>,
    report: Arc<Report>,
    changes: mpsc::Receiver<Change>,
}

impl Work {
    /// Writes while there is a database, and looks for one while there is none.
    fn go_on(self, mut opened: Option<Database>) {
        loop {
            let over = match &opened {
                Some(database) => self.write(database),
                None => self.refuse(),
            };
            if over.is_break() {
                return;
            }
            // Closed before it is opened again.
            drop(opened.take());
            opened = self.open();
        }
    }

    /// Opens the database, or says why there is none.
    fn open(&self) -> Option<Database> {
        let opened = self.try_to_open();
        let taken = matches!(opened, Err(Unusable::Taken));
        self.shared.taken.store(taken, SeqCst);
        match opened {
            Ok(database) => {
                self.report.note(FILE, None);
                Some(database)
            }
            Err(unusable) => {
                if !taken || !self.report.waits_for_predecessor() {
                    self.stuck(&unusable);
                }
                if !taken && !self.shared.known.load(SeqCst) {
                    self.look();
                }
                None
            }
        }
    }

    fn try_to_open(&self) -> Result<Database, Unusable> {
        file::make_folder(&self.folder).map_err(|error| Unusable::Failed(error.into()))?;
        let database = match database::open(&self.file) {
            Err(Unusable::Unfit(unfit)) if unfit.is_final() => {
                let aside =
                    file::set_aside(&self.file).map_err(|error| Unusable::Failed(error.into()))?;
                // Whoever was in by it is in again once `gate apply` says so.
                self.report.set_aside(FILE, &unfit, aside);
                database::open(&self.file)?
            }
            other => other?,
        };
        let known = self.shared.known.load(SeqCst);
        let secret = self.shared.secret.get().copied();
        let secret = database::begin(&database, &self.register, known, secret)?;
        // Set once, for the database keeps it.
        let _ = self.shared.secret.set(secret);
        self.shared.known.store(true, SeqCst);
        Ok(database)
    }

    /// Reads who is in where nothing can be written, so that they go on being let in.
    fn look(&self) {
        match database::only_read(&self.file, &self.register) {
            Ok(secret) => {
                if let Some(secret) = secret {
                    let _ = self.shared.secret.set(secret);
                }
                self.shared.known.store(true, SeqCst);
            }
            Err(unusable) => tracing::error!(%unusable, "state: it is not known who is in"),
        }
    }

    fn stuck(&self, why: &dyn fmt::Display) {
        let trouble = format!("{why}; gates let in nobody new, for nobody could be recorded");
        self.report.note(FILE, Some(trouble));
    }

    /// Writes changes, many in one commit, until that fails or there are no more.
    fn write(&self, database: &Database) -> ControlFlow<()> {
        loop {
            let Ok(first) = self.changes.recv() else {
                return ControlFlow::Break(());
            };
            let more = std::iter::from_fn(|| self.changes.try_recv().ok()).take(MOST_AT_ONCE);
            let mut batch: Vec<Change> = std::iter::once(first).chain(more).collect();
            let last = batch.iter().any(|change| matches!(change, Change::Close));
            batch.retain(|change| !matches!(change, Change::Close));
            let written = if batch.is_empty() {
                Ok(())
            } else {
                database::commit(database, &batch).map_err(|error| error.to_string())
            };
            match &written {
                Ok(()) => self.report.saved(),
                Err(error) => self.stuck(error),
            }
            for change in batch {
                change.settle(written.as_ref());
            }
            if last {
                return ControlFlow::Break(());
            }
            if written.is_err() {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Refuses changes until it is time for another try.
    fn refuse(&self) -> ControlFlow<()> {
        let taken = self.shared.taken.load(SeqCst);
        let again = Instant::now() + if taken { WHILE_TAKEN } else { WHILE_STUCK };
        let trouble = self.report.trouble(FILE);
        let why = trouble.unwrap_or_else(|| Unusable::Taken.to_string());
        loop {
            let left = again.saturating_duration_since(Instant::now());
            match self.changes.recv_timeout(left) {
                Ok(Change::Close) | Err(RecvTimeoutError::Disconnected) => {
                    return ControlFlow::Break(());
                }
                Err(RecvTimeoutError::Timeout) => return ControlFlow::Continue(()),
                Ok(change) => change.settle(Err(&why)),
            }
        }
    }
}
