//! The database of the `state` folder: who is in, by gate and name, and the secret of fixed draws.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    path::Path,
};

use floodwall_limiter::Secret;
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError,
    TableDefinition,
    backends::{FileBackend, InMemoryBackend},
};

use super::{Change, Register};
use crate::state::file::{self, Unfit};

/// Who is in, by gate and name.
const GUESTS: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("guests");

/// The two halves of the secret.
const SECRET: TableDefinition<'_, (), (u64, u64)> = TableDefinition::new("secret");

/// Why there is no database to write to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// Another process has it open: a predecessor that drains, or somebody with the same folder.
    #[error("another process has it open")]
    Taken,
    /// This is nothing that a database could be made of.
    #[error("{0}")]
    Unfit(Unfit),
    #[error("{0}")]
    Failed(redb::Error),
}

impl From<Unfit> for Unusable {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl From<redb::Error> for Unusable {
    fn from(error: redb::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for Unusable {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::Taken,
            DatabaseError::UpgradeRequired(version) => Self::Unfit(Unfit::Damaged(format!(
                "its format is {version}, an older one"
            ))),
            DatabaseError::Storage(StorageError::Corrupted(how)) => {
                Self::Unfit(Unfit::Damaged(how))
            }
            DatabaseError::Storage(StorageError::Io(error)) if is_damage(&error) => {
                Self::Unfit(Unfit::Damaged(error.to_string()))
            }
            other => Self::Failed(other.into()),
        }
    }
}

/// Whether it is the file that is wrong, not the system.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// Opens the database, or a new one where there is none.
///
/// # Errors
/// [`Unusable`].
pub(super) fn open(file: &Path) -> Result<Database, Unusable> {
    let opened = file::open_or_make(file)?;
    Ok(checked().create_with_backend(FileBackend::new(opened)?)?)
}

/// Reads who is in from a file that cannot be written to, in a copy of it: what a crash left open is mended there.
/// None when there is no file.
///
/// # Errors
/// [`Unusable`].
pub(super) fn only_read(file: &Path, register: &Register) -> Result<Option<Secret>, Unusable> {
    let Some(mut opened) = file::open(file, OpenOptions::new().read(true))? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes).map_err(Unfit::Unreadable)?;
    let copy = InMemoryBackend::new();
    let write = || {
        copy.set_len(bytes.len() as u64)?;
        copy.write(0, &bytes)
    };
    write().map_err(Unfit::Unreadable)?;
    let database = checked().create_with_backend(copy)?;
    Ok(Some(begin(&database, register, false, None)?))
}

/// Bytes that something else changed are an error when they are opened so, where they would be a panic later.
fn checked() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_check_integrity_on_open(true);
    builder
}

/// Brings a database and this process together, and returns the secret of draws, which is made if there is none.
///
/// Where it is `known` who is in, the database is made to say so. After a commit that failed nobody knows what of it is
/// written, but those whom it was for were refused, and their places are others'. Where it is not known, the database
/// says it.
///
/// # Errors
/// When the database cannot be read or written.
pub(super) fn begin(
    database: &Database,
    register: &Register,
    known: bool,
    secret: Option<Secret>,
) -> Result<Secret, redb::Error> {
    let writing = database.begin_write()?;
    let (k0, k1) = {
        let mut table = writing.open_table(SECRET)?;
        let kept = table.get(())?.map(|kept| kept.value());
        let halves = match (secret, kept) {
            (Some(Secret { k0, k1 }), _) => (k0, k1),
            (None, Some(halves)) => halves,
            (None, None) => (random()?, random()?),
        };
        table.insert((), halves)?;
        let mut table = writing.open_table(GUESTS)?;
        if known {
            table.retain(|(gate, name), ()| register.guests(gate).find(name).is_some())?;
            for (gate, guests) in register.all() {
                for name in guests.names() {
                    table.insert((gate.as_str(), name.as_str()), ())?;
                }
            }
        }
        halves
    };
    writing.commit()?;
    if !known {
        put_in(&database.begin_read()?, register)?;
    }
    Ok(Secret { k0, k1 })
}

fn put_in(reading: &redb::ReadTransaction, register: &Register) -> Result<(), redb::Error> {
    for entry in reading.open_table(GUESTS)?.iter()? {
        let (key, ()) = entry.map(|(key, value)| (key, value.value()))?;
        let (gate, name) = key.value();
        register.guests(gate).put_in(name);
    }
    Ok(())
}

/// Makes changes durable.
///
/// # Errors
/// When that is not certain.
pub(super) fn commit(database: &Database, batch: &[Change]) -> Result<(), redb::Error> {
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

fn random() -> Result<u64, redb::Error> {
    getrandom::u64().map_err(|error| redb::Error::Io(io::Error::other(error.to_string())))
}
