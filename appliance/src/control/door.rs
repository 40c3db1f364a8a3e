//! The socket itself: claimed once for each running service.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use nix::sys::{
    socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket},
    stat::{Mode, fchmod},
};

use super::Callers;

/// The socket's mode: its owner and its group.
const MODE: u32 = 0o660;

/// A claimed control socket. Dropping it removes the path, unless a successor has claimed it since.
#[derive(Debug)]
pub struct Door {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    /// Device and inode of the path as this process made it.
    made: (u64, u64),
    /// A successor has the same socket, so that its path stays.
    pub(super) left: Arc<AtomicBool>,
    pub(super) callers: Callers,
}

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("floodwall is already running: another process answers on the control socket {}", .0.display())]
    Running(PathBuf),
    #[error("the control socket's path {} is taken by something that is no socket; remove it or set admin.socket", .0.display())]
    NotASocket(PathBuf),
    #[error("the control socket {} cannot be made: {cause}; make its folder writable or set admin.socket", .path.display())]
    Bind { path: PathBuf, cause: io::Error },
}

impl Door {
    /// Claims the path. The socket that a dead process left behind is replaced, a live one is not.
    ///
    /// From here on callers queue; they are answered once [`Door::serve`] runs.
    ///
    /// # Errors
    /// [`ClaimError`] when another process answers there, or nothing can be made there.
    pub fn claim(path: &Path) -> Result<Self, ClaimError> {
        remove_stale(path)?;
        let failed = |cause: io::Error| ClaimError::Bind {
            path: path.to_owned(),
            cause,
        };
        let listener = bind_for_group(path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let made = inode(path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            made,
            left: Arc::default(),
            callers: Callers::default(),
        })
    }

    /// Goes on with a socket that a predecessor has claimed at this path.
    ///
    /// # Errors
    /// [`ClaimError::Bind`] when it is not there any more.
    pub fn inherit(listener: UnixListener, path: &Path) -> Result<Self, ClaimError> {
        let made = inode(path).map_err(|cause| ClaimError::Bind {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            made,
            left: Arc::default(),
            callers: Callers::default(),
        })
    }

    /// Those who will be served.
    pub fn callers(&self) -> Callers {
        self.callers.clone()
    }

    /// The socket for a successor, and the word that it has one: from then on the path is not this process's.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn bequeath(&self) -> io::Result<(OwnedFd, Arc<AtomicBool>)> {
        let socket = self.listener.as_fd().try_clone_to_owned()?;
        Ok((socket, Arc::clone(&self.left)))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let left = self.left.load(Relaxed);
        if !left && inode(&self.path).is_ok_and(|now| now == self.made) {
            // Whoever removed it in between has done what was wanted.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn remove_stale(path: &Path) -> Result<(), ClaimError> {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !meta.file_type().is_socket() {
        return Err(ClaimError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        // Only a socket that nobody listens on refuses; a full queue or a closed door is somebody's.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|cause| ClaimError::Bind {
                path: path.to_owned(),
                cause,
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(ClaimError::Running(path.to_owned())),
    }
}

/// Binds with a mode that is never wider than [`MODE`], whatever the umask: the kernel gives the path the
/// mode of the unbound socket, less the umask, and what that took away is added afterwards.
fn bind_for_group(path: &Path) -> io::Result<UnixListener> {
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    fchmod(&socket, Mode::from_bits_truncate(MODE))?;
    bind(
        std::os::fd::AsRawFd::as_raw_fd(&socket),
        &UnixAddr::new(path)?,
    )?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    listen(&socket, Backlog::new(128)?)?;
    Ok(UnixListener::from(socket))
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn only_owner_and_group_may_open_it_and_it_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let door = Door::claim(&path).unwrap();
        assert_eq!(mode(&path), MODE);
        drop(door);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_process_is_succeeded_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        let first = Door::claim(&path).unwrap();
        assert!(matches!(Door::claim(&path), Err(ClaimError::Running(_))));
        drop(first);
        fs::write(&path, "notes").unwrap();
        assert!(matches!(Door::claim(&path), Err(ClaimError::NotASocket(_))));
        assert_eq!(fs::read(&path).unwrap(), b"notes");
    }

    #[test]
    fn the_successor_keeps_its_socket_when_the_predecessor_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let first = Door::claim(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Door::claim(&path).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_key() {
        let error = Door::claim(Path::new("/nowhere/control.sock"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nowhere/control.sock") && error.contains("admin.socket"),
            "{error}"
        );
    }
}
