//! What makes guests durable: a database in the `state` folder, and the one thread that writes to it.
//!
//! All who are let in within the time of one commit share it. Their answers wait for it, so that nobody who was told
//! that they are in is ever forgotten, however the process or the machine ends.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use floodwall_limiter::Secret;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use super::{
    guests::{Guest, Guests, Standing},
    register::Register,
};

/// Who is in, by gate and name.
const GUESTS: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("guests");

/// The two halves of the secret of fixed draws.
const SECRET: TableDefinition<'_, (), (u64, u64)> = TableDefinition::new("secret");

/// Changes of one commit, at most.
const MOST_AT_ONCE: usize = 8192;

/// How often a database is tried that another process has open: a predecessor that drains.
const AGAIN: Duration = Duration::from_millis(20);

/// How long a request waits for that.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to the database.
#[derive(Debug)]
pub struct Journal {
    /// None: nothing is kept, and everything is in force at once.
    writer: Option<Writer>,
    unkept: Option<Unkept>,
    fallback: Secret,
}

#[derive(Debug)]
struct Writer {
    changes: mpsc::Sender<Change>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Those who are in are known, and more can be written.
    ready: AtomicBool,
    closing: AtomicBool,
    secret: OnceLock<Secret>,
}

/// Why who is in is not written anywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unkept {
    #[error("the file names no `state` folder")]
    NoFolder,
    #[error("{0}")]
    Failed(String),
}

/// Somebody new who has a place, until it is known whether they keep it.
#[derive(Debug)]
struct Wish {
    gate: String,
    name: String,
    guests: Arc<Guests>,
    guest: Arc<Guest>,
}

impl Drop for Wish {
    /// Whoever was not made durable by now never will be.
    fn drop(&mut self) {
        self.guests.lose_unsettled(&self.name, &self.guest);
    }
}

/// One change of who is in.
#[derive(Debug)]
enum Change {
    Admit(Wish),
    /// Puts these in, and answers with how many are new.
    Apply {
        gate: String,
        names: Vec<String>,
        guests: Arc<Guests>,
        answer: mpsc::Sender<Result<usize, String>>,
    },
    /// Puts everybody out, and answers with how many that were.
    Delete {
        gate: String,
        guests: Arc<Guests>,
        answer: mpsc::Sender<Result<usize, String>>,
    },
    Close,
}

impl Journal {
    /// Opens the database of a folder, and puts back who is in. `fallback` is the secret of draws where nothing is
    /// kept.
    ///
    /// A damaged database is set aside; a folder that cannot be used is said in the log. Neither stops anybody from
    /// being served. One that another process has open is waited for in the background.
    pub fn open(folder: Option<&Path>, register: &Arc<Register>, fallback: Secret) -> Self {
        let unkept = |why| Self {
            writer: None,
            unkept: Some(why),
            fallback,
        };
        let Some(folder) = folder else {
            return unkept(Unkept::NoFolder);
        };
        match Writer::start(folder, register) {
            Ok(writer) => Self {
                writer: Some(writer),
                unkept: None,
                fallback,
            },
            Err(error) => {
                tracing::error!(folder = %folder.display(), %error, "state: gates keep nobody over a restart");
                unkept(Unkept::Failed(error.to_string()))
            }
        }
    }

    /// Whether it is known who is in.
    pub fn is_ready(&self) -> bool {
        let writer = self.writer.as_ref();
        writer.is_none_or(|writer| writer.shared.ready.load(SeqCst))
    }

    /// Waits a moment for a predecessor to let go of the database.
    pub(super) async fn ready(&self) {
        let mut left = PATIENCE.as_millis() / AGAIN.as_millis();
        while !self.is_ready() && !self.is_closing() && left > 0 {
            tokio::time::sleep(AGAIN).await;
            left -= 1;
        }
    }

    fn is_closing(&self) -> bool {
        let writer = self.writer.as_ref();
        writer.is_some_and(|writer| writer.shared.closing.load(SeqCst))
    }

    /// Why nobody is kept; none when they are.
    pub fn unkept(&self) -> Option<Unkept> {
        self.unkept.clone()
    }

    /// The secret of fixed draws; it lives as long as the database.
    pub fn secret(&self) -> Secret {
        let writer = self.writer.as_ref();
        let kept = writer.and_then(|writer| writer.shared.secret.get().copied());
        kept.unwrap_or(self.fallback)
    }

    /// Makes a new guest durable, who is told when that is done.
    pub(super) fn admit(&self, gate: &str, name: String, guests: &Arc<Guests>, guest: &Arc<Guest>) {
        let Some(writer) = &self.writer else {
            return guest.settle(Standing::In);
        };
        let wish = Wish {
            gate: gate.to_owned(),
            name,
            guests: Arc::clone(guests),
            guest: Arc::clone(guest),
        };
        // Where nobody takes it, it is dropped.
        let _ = writer.changes.send(Change::Admit(wish));
    }

    /// Puts people in, and tells how many of them are new.
    ///
    /// # Errors
    /// Why nothing was changed, in words.
    pub fn apply(
        &self,
        gate: &str,
        names: Vec<String>,
        guests: &Arc<Guests>,
    ) -> Result<usize, String> {
        let Some(writer) = &self.writer else {
            return Ok(names.iter().filter(|name| guests.put_in(name)).count());
        };
        writer.ask(|answer| Change::Apply {
            gate: gate.to_owned(),
            names,
            guests: Arc::clone(guests),
            answer,
        })
    }

    /// Puts everybody out, and tells how many that were.
    ///
    /// # Errors
    /// Why nothing was changed, in words.
    pub fn delete(&self, gate: &str, guests: &Arc<Guests>) -> Result<usize, String> {
        let Some(writer) = &self.writer else {
            return Ok(guests.clear());
        };
        writer.ask(|answer| Change::Delete {
            gate: gate.to_owned(),
            guests: Arc::clone(guests),
            answer,
        })
    }

    /// Writes what is under way, and lets go of the database. Nobody new is let in from here on.
    pub fn close(&self) {
        let Some(writer) = &self.writer else { return };
        writer.shared.closing.store(true, SeqCst);
        writer.shared.ready.store(false, SeqCst);
        // The thread may have ended already.
        let _ = writer.changes.send(Change::Close);
        let mut thread = writer.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A panic in the thread was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Writer {
    fn start(folder: &Path, register: &Arc<Register>) -> Result<Self, OpenError> {
        fs::create_dir_all(folder)?;
        let file = folder.join("gates.redb");
        let opened = open(&file)?;
        let (changes, received) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let (mine, register) = (Arc::clone(&shared), Arc::clone(register));
        if let Some(database) = &opened {
            mine.begin(database, &register)?;
        }
        let thread = thread::Builder::new()
            .name("gates".to_owned())
            .spawn(move || {
                if let Some(database) = opened.or_else(|| mine.wait_for(&file, &register)) {
                    Shared::write(&database, &received);
                }
            })?;
        Ok(Self {
            changes,
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    fn ask(
        &self,
        change: impl FnOnce(mpsc::Sender<Result<usize, String>>) -> Change,
    ) -> Result<usize, String> {
        let (answer, answered) = mpsc::channel();
        let gone = || "the service is ending".to_owned();
        self.changes.send(change(answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Database(#[from] redb::Error),
}

/// Opens the database, or a new one in place of a damaged one; none while another process has it.
fn open(file: &Path) -> Result<Option<Database>, OpenError> {
    match Database::create(file) {
        Ok(database) => Ok(Some(database)),
        Err(DatabaseError::DatabaseAlreadyOpen) => Ok(None),
        Err(error) => {
            let aside = aside(file);
            fs::rename(file, &aside)?;
            tracing::error!(
                file = %file.display(),
                %error,
                "state: the gates' file is damaged and is now {}; nobody is in until `floodwall gate apply` says so",
                aside.display()
            );
            Database::create(file)
                .map(Some)
                .map_err(|error| redb::Error::from(error).into())
        }
    }
}

fn aside(file: &Path) -> PathBuf {
    file.with_extension("redb.damaged")
}

impl Shared {
    /// Reads who is in, and the secret of draws; from here on guests are let in.
    fn begin(&self, database: &Database, register: &Register) -> Result<(), redb::Error> {
        let writing = database.begin_write()?;
        {
            let mut table = writing.open_table(SECRET)?;
            let kept = table.get(())?.map(|kept| kept.value());
            let (k0, k1) = if let Some(halves) = kept {
                halves
            } else {
                let halves = (random()?, random()?);
                table.insert((), halves)?;
                halves
            };
            // Set once: nobody begins twice.
            let _ = self.secret.set(Secret { k0, k1 });
            writing.open_table(GUESTS)?;
        }
        writing.commit()?;
        let reading = database.begin_read()?;
        for entry in reading.open_table(GUESTS)?.iter()? {
            let (key, ()) = entry.map(|(key, value)| (key, value.value()))?;
            let (gate, name) = key.value();
            register.guests(gate).put_in(name);
        }
        self.ready.store(true, SeqCst);
        Ok(())
    }

    /// Waits for a database that another process has open. None when this one ends before.
    fn wait_for(&self, file: &Path, register: &Register) -> Option<Database> {
        while !self.closing.load(SeqCst) {
            thread::park_timeout(AGAIN);
            let opened = open(file).and_then(|database| {
                if let Some(database) = &database {
                    self.begin(database, register)?;
                }
                Ok(database)
            });
            match opened {
                Ok(None) => {}
                Ok(Some(database)) => return Some(database),
                Err(error) => {
                    tracing::error!(file = %file.display(), %error, "state: the gates' file cannot be opened");
                    return None;
                }
            }
        }
        None
    }

    /// Writes changes until there are no more, many in one commit.
    fn write(database: &Database, changes: &mpsc::Receiver<Change>) {
        let mut last = false;
        while !last {
            let Ok(first) = changes.recv() else { return };
            let more = std::iter::from_fn(|| changes.try_recv().ok()).take(MOST_AT_ONCE);
            let mut batch: Vec<Change> = std::iter::once(first).chain(more).collect();
            last = batch.iter().any(|change| matches!(change, Change::Close));
            batch.retain(|change| !matches!(change, Change::Close));
            if batch.is_empty() {
                continue;
            }
            let written = commit(database, &batch).map_err(|error| error.to_string());
            if let Err(error) = &written {
                tracing::error!(%error, "state: who was let in cannot be recorded, and is refused");
            }
            for change in batch {
                change.settle(written.as_ref());
            }
        }
    }
}

fn commit(database: &Database, batch: &[Change]) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    {
        let mut table = writing.open_table(GUESTS)?;
        for change in batch {
            match change {
                Change::Admit(wish) => {
                    table.insert((wish.gate.as_str(), wish.name.as_str()), ())?;
                }
                Change::Apply { gate, names, .. } => {
                    for name in names {
                        table.insert((gate.as_str(), name.as_str()), ())?;
                    }
                }
                Change::Delete { gate, .. } => {
                    table.retain(|(other, _), ()| other != gate.as_str())?;
                }
                Change::Close => {}
            }
        }
    }
    // Durable when this returns: redb syncs the file.
    Ok(writing.commit()?)
}

impl Change {
    /// Tells whoever waits what has become of it.
    fn settle(self, written: Result<&(), &String>) {
        match (self, written) {
            (Self::Admit(wish), Ok(())) => wish.guest.settle(Standing::In),
            (
                Self::Apply {
                    names,
                    guests,
                    answer,
                    ..
                },
                Ok(()),
            ) => {
                let new = names.iter().filter(|name| guests.put_in(name)).count();
                // Whoever asked may have left.
                let _ = answer.send(Ok(new));
            }
            (Self::Delete { guests, answer, .. }, Ok(())) => {
                let _ = answer.send(Ok(guests.clear()));
            }
            (Self::Apply { answer, .. } | Self::Delete { answer, .. }, Err(error)) => {
                let _ = answer.send(Err(error.clone()));
            }
            // A wish that is dropped is lost.
            (Self::Admit(_), Err(_)) | (Self::Close, _) => {}
        }
    }
}

fn random() -> Result<u64, redb::Error> {
    getrandom::u64().map_err(|error| redb::Error::Io(std::io::Error::other(error.to_string())))
}
