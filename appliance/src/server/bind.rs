//! Opening listeners: all of them, before anything is promised.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::fd::AsFd,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use floodwall_config::{Config, ListenAddress};
use socket2::{Domain, Protocol, Socket, Type};

use crate::handover::{self, Estate, Inheritance};

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("listeners.{listener}: cannot listen on {address}: {hint}")]
    Tcp {
        listener: String,
        address: SocketAddr,
        hint: String,
        source: io::Error,
    },
    #[error("listeners.{listener}: cannot listen on unix:{}: {hint}", .path.display())]
    Unix {
        listener: String,
        path: PathBuf,
        hint: String,
        source: io::Error,
    },
}

/// Every listener of a configuration, open and queueing connections that nobody accepts yet.
#[derive(Debug)]
pub struct Bound {
    pub(super) doors: Vec<OpenDoor>,
    pub(super) threads: usize,
}

#[derive(Debug)]
pub(super) struct OpenDoor {
    pub(super) name: String,
    pub(super) socket: Listening,
}

/// A socket that queues connections.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener, Arc<SocketFile>),
}

/// The file of a unix socket, which is removed with this unless another process has put its own there.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
    /// Whether another process has the socket by now; unset where there can be none.
    left: OnceLock<Arc<AtomicBool>>,
}

/// Connections that the kernel keeps for a listener until they are accepted, at most.
pub const BACKLOG: i32 = 4096;

/// Opens every listener that a predecessor has not left open.
///
/// # Errors
/// The first [`BindError`]; nothing is left open then.
pub fn bind(config: &Config, inheritance: &mut Inheritance) -> Result<Bound, BindError> {
    let doors = config
        .listeners
        .iter()
        .map(|listener| {
            let name = listener.name.clone();
            let inherited = handover::of_listener(&name);
            let socket = match &listener.address {
                ListenAddress::Tcp(address) => inheritance
                    .tcp(&inherited, *address)
                    .map_or_else(|| tcp(*address), |socket| Ok(Listening::Tcp(socket)))
                    .map_err(|source| BindError::Tcp {
                        listener: name.clone(),
                        address: *address,
                        hint: hint(&source, address.port()),
                        source,
                    }),
                ListenAddress::Unix(path) => inheritance
                    .unix(&inherited, path)
                    .map_or_else(
                        || unix(path, listener.mode),
                        |socket| Listening::inherited(socket, path),
                    )
                    .map_err(|source| BindError::Unix {
                        listener: name.clone(),
                        path: path.clone(),
                        hint: hint(&source, u16::MAX),
                        source,
                    }),
            }?;
            Ok(OpenDoor { name, socket })
        })
        .collect::<Result<_, _>>()?;
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = config
        .server
        .threads
        .map_or_else(cores, |threads| usize::from(threads.get()));
    Ok(Bound { doors, threads })
}

impl Bound {
    /// Adds every listener to what a successor is to have. Once `left` says that there is one, files are its to remove.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn bequeath(&self, estate: &mut Estate, left: &Arc<AtomicBool>) -> io::Result<()> {
        for door in &self.doors {
            let socket = match &door.socket {
                Listening::Tcp(socket) => socket.as_fd().try_clone_to_owned()?,
                Listening::Unix(socket, file) => {
                    // Set once: there is one estate.
                    let _ = file.left.set(Arc::clone(left));
                    socket.as_fd().try_clone_to_owned()?
                }
            };
            estate.add(handover::of_listener(&door.name), socket);
        }
        Ok(())
    }
}

fn tcp(address: SocketAddr) -> io::Result<Listening> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A listener may follow its predecessor at once; another process on the same port is still an error.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // As nginx does: [::] means IPv6, and 0.0.0.0 beside it means IPv4.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listening::Tcp(socket.into()))
}

/// Opens a socket in the file system. What a process left behind that is gone by now is replaced.
fn unix(path: &Path, mode: u32) -> io::Result<Listening> {
    let is_socket = fs::symlink_metadata(path).map(|found| found.file_type().is_socket());
    match is_socket {
        Ok(true) if UnixStream::connect(path).is_err() => fs::remove_file(path)?,
        Ok(true) => return Err(io::ErrorKind::AddrInUse.into()),
        Ok(false) => return Err(io::Error::other("there is a file that is no socket")),
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    // Before it listens, so that nobody is let in by what the umask happens to be.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    Ok(Listening::Unix(socket.into(), Arc::new(file)))
}

/// What to make of an error of binding to a port, in words.
pub fn hint(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there already".to_owned(),
        io::ErrorKind::PermissionDenied if port < 1024 => {
            format!("port {port} needs root or the capability CAP_NET_BIND_SERVICE")
        }
        io::ErrorKind::AddrNotAvailable => "this host has no such address".to_owned(),
        _ => error.to_string(),
    }
}

impl Listening {
    fn inherited(socket: UnixListener, path: &Path) -> io::Result<Self> {
        Ok(Self::Unix(socket, Arc::new(SocketFile::of(path)?)))
    }

    /// The same socket for another thread.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket, file) => Self::Unix(socket.try_clone()?, Arc::clone(file)),
        })
    }
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            inode: inode(path)?,
            left: OnceLock::new(),
        })
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let mine = inode(&self.path).is_ok_and(|found| found == self.inode);
        let has_successor = self.left.get().is_some_and(|left| left.load(Relaxed));
        if mine && !has_successor {
            // Somebody else has removed it at the same time, which is as good.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_is_replaced_and_what_lives_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        let open = unix(&path, 0o600).unwrap();
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = unix(&path, 0o600).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
        drop(open);
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        assert!(unix(&path, 0o600).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn the_socket_of_a_successor_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let open = unix(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        let successor = UnixListener::bind(&path).unwrap();
        drop(open);
        assert!(path.exists());
        drop(successor);
    }
}
