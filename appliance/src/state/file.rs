//! One file of the `state` folder: which one is trusted, how it is replaced, and how it is set aside.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{errno::Errno, fcntl::OFlag, unistd::geteuid};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// The mode of every file in the folder: what is learned of clients is nobody else's.
const MODE: u32 = 0o600;

/// The mode of a folder that is made.
const FOLDER_MODE: u32 = 0o700;

/// The most bytes of a file that is read: a book of blocks at its fullest has a fifth of it.
const MOST_BYTES: u64 = 64 << 20;

/// Why a file does not count.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("is a symbolic link, and none is followed")]
    Link,
    #[error("is no regular file")]
    NotAFile,
    #[error(
        "belongs to user {owner}; what counts is what this service's user, the folder's owner or root wrote"
    )]
    Foreign { owner: u32 },
    #[error("may be written by everybody (mode {mode:o})")]
    Unguarded { mode: u32 },
    #[error("has {size} bytes; {MOST_BYTES} are the most")]
    TooLong { size: u64 },
    #[error("is damaged: {0}")]
    Damaged(String),
    #[error("is of version {found}, which a newer floodwall wrote; this one reads version {known}")]
    Newer { found: u64, known: u64 },
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl Unfit {
    /// Whether the file is to be out of the way, so that the next one has its name. What the system does not give now
    /// it may give later.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Unreadable(error) => error.kind() == io::ErrorKind::PermissionDenied,
            _ => true,
        }
    }
}

/// Makes the folder if it is not there yet.
///
/// # Errors
/// When it cannot be made, or something else has its name.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut fresh = DirBuilder::new();
    fresh.recursive(true).mode(FOLDER_MODE).create(folder)?;
    keep_name(folder)
}

/// Opens a file that is there, if it is one that counts; none when there is no file.
///
/// # Errors
/// [`Unfit`] for everything but a regular file that somebody trustworthy wrote.
pub fn open(file: &Path, options: &OpenOptions) -> Result<Option<File>, Unfit> {
    // Neither through a link, nor waiting for somebody at the other end of a pipe.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = match options.clone().custom_flags(flags.bits()).open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    let meta = opened.metadata()?;
    if !meta.is_file() {
        return Err(Unfit::NotAFile);
    }
    let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
    let folder = file.parent().map(fs::metadata).transpose()?;
    let is_trusted = [0, geteuid().as_raw()].contains(&owner)
        || folder.is_some_and(|folder| folder.uid() == owner);
    if !is_trusted {
        return Err(Unfit::Foreign { owner });
    }
    if mode & 0o002 != 0 {
        return Err(Unfit::Unguarded { mode });
    }
    Ok(Some(opened))
}

/// Opens a file to read and write, making an empty one if there is none.
///
/// # Errors
/// As [`open`].
pub fn open_or_make(file: &Path) -> Result<File, Unfit> {
    if let Some(opened) = open(file, OpenOptions::new().read(true).write(true))? {
        return Ok(opened);
    }
    let mut fresh = OpenOptions::new();
    fresh.read(true).write(true).create_new(true).mode(MODE);
    let made = fresh.open(file)?;
    keep_name(file)?;
    Ok(made)
}

/// Makes the name of a file durable, which is its folder's, not its own.
fn keep_name(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn refused(error: io::Error) -> Unfit {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => Unfit::Link,
        // A folder, or a socket, or a pipe that is opened for writing.
        Some(Errno::EISDIR | Errno::ENXIO) => Unfit::NotAFile,
        _ => Unfit::Unreadable(error),
    }
}

/// Everything in a file; none when there is no file.
///
/// # Errors
/// [`Unfit`].
pub fn read(file: &Path) -> Result<Option<Vec<u8>>, Unfit> {
    let Some(opened) = open(file, OpenOptions::new().read(true))? else {
        return Ok(None);
    };
    let size = opened.metadata()?.len();
    if size > MOST_BYTES {
        return Err(Unfit::TooLong { size });
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    opened.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Replaces a file in one step: a reader, and whoever starts after a crash, sees the old one or the new one.
///
/// # Errors
/// When it cannot be written; the old one stays then.
pub fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = with_suffix(file, ".new");
    let written = write_new(&draft, bytes).and_then(|()| fs::rename(&draft, file));
    if written.is_err() {
        // What there is of it is of no use.
        let _ = fs::remove_file(&draft);
        return written;
    }
    keep_name(file)
}

fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // Left by a crash, or put there by somebody: `create_new` follows no link.
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut fresh = OpenOptions::new();
    let mut opened = fresh.write(true).create_new(true).mode(MODE).open(file)?;
    opened.write_all(bytes)?;
    opened.sync_all()
}

/// Gives a file that does not count another name, which no other file has, and tells it.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let aside = match number {
            1 => with_suffix(file, ".damaged"),
            _ => with_suffix(file, &format!(".damaged.{number}")),
        };
        match renameat_with(CWD, file, CWD, &aside, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(aside),
            Err(rustix::io::Errno::EXIST) => number += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
