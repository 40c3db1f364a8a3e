//! One process at a time writes to the folder.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

use super::file::{self, Unfit};

/// The file that is locked; it says by whom, for people.
const FILE: &str = "lock";

/// The folder is this process's until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why the folder is not this process's.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLock {
    #[error(
        "{} has it: this process keeps nothing there until that one ends; each service needs a `state` folder of its own",
        .holder.as_ref().map_or("another floodwall".to_owned(), |pid| format!("another floodwall, process {pid},"))
    )]
    Taken { holder: Option<u32> },
    #[error("nothing can be saved in it: its file {FILE} {0}")]
    Failed(Unfit),
}

impl Lock {
    /// Takes the lock of a folder, if nobody has it.
    ///
    /// # Errors
    /// [`NoLock`].
    pub(super) fn take(folder: &Path) -> Result<Self, NoLock> {
        let failed = |error: std::io::Error| NoLock::Failed(error.into());
        let mut file = file::open_or_make(&folder.join(FILE)).map_err(NoLock::Failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(NoLock::Taken {
                    holder: holder(&file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Who it is, is only for people: a disk that is full does not keep anybody from holding a lock.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let second = Lock::take(folder.path()).unwrap_err();
        let me = std::process::id();
        assert!(
            second
                .to_string()
                .contains(&format!("process {me}, has it")),
            "{second}"
        );
        drop(first);
        Lock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let error = Lock::take(Path::new("/nowhere")).unwrap_err();
        assert!(
            error.to_string().contains("nothing can be saved"),
            "{error}"
        );
    }
}
