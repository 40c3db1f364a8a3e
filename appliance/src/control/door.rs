//! The socket itself: claimed once for each running service, served to a few callers at a time.

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
    time::Duration,
};

use nix::sys::{
    socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket},
    stat::{Mode, fchmod},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::unix::UCred,
    sync::{Notify, Semaphore},
    time::timeout,
};

use super::protocol::{MAX_REQUEST, Reply, Request, decode, encode};

/// The socket's mode: its owner and its group.
const MODE: u32 = 0o660;

/// Callers served at one time; more wait in the queue.
const CALLERS: usize = 16;

/// How long a caller may take for one line, either way.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long callers who ask nothing keep a process that leaves.
const FAREWELL: Duration = Duration::from_secs(1);

/// A claimed control socket. Dropping it removes the path, unless a successor has claimed it since.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the path as this process made it.
    made: (u64, u64),
    /// A successor has the same socket, so that its path stays.
    left: Arc<AtomicBool>,
    callers: Callers,
}

/// Those who are served at the door, for whoever wants to leave it.
#[derive(Clone, Debug)]
pub struct Callers {
    seats: Arc<Semaphore>,
    closing: Arc<Notify>,
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

    /// The socket for a successor, and the word that it has one: from then on the path is not this process's.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn bequeath(&self) -> io::Result<(OwnedFd, Arc<AtomicBool>)> {
        let socket = self.listener.as_fd().try_clone_to_owned()?;
        Ok((socket, Arc::clone(&self.left)))
    }

    /// Those who will be served.
    pub fn callers(&self) -> Callers {
        self.callers.clone()
    }

    /// Answers callers until [`Callers::leave`].
    ///
    /// `answer` may block: it runs on a thread of its own.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub async fn serve(
        self,
        answer: impl Fn(Request, Option<u32>) -> Reply + Send + Sync + 'static,
    ) -> io::Result<()> {
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        let answer = Arc::new(answer);
        let mut closing = std::pin::pin!(self.callers.closing.notified());
        closing.as_mut().enable();
        loop {
            let next = async {
                let seat = Arc::clone(&self.callers.seats).acquire_owned().await;
                (seat, listener.accept().await)
            };
            let (seat, accepted) = tokio::select! {
                next = next => next,
                () = &mut closing => return Ok(()),
            };
            match accepted {
                Ok((stream, _)) => {
                    let (answer, left) = (Arc::clone(&answer), Arc::clone(&self.left));
                    tokio::spawn(async move {
                        let _seat = seat;
                        if let Err(error) = converse(stream, answer, &left).await {
                            tracing::debug!(%error, "a caller on the control socket went away");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    // Out of file descriptors, most likely: whoever holds them needs time to give them back.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Default for Callers {
    fn default() -> Self {
        Self {
            seats: Arc::new(Semaphore::new(CALLERS)),
            closing: Arc::default(),
        }
    }
}

impl Callers {
    /// Takes nobody in any more, and waits until those who are in have had their answers; not for ever for those who
    /// ask nothing.
    pub async fn leave(&self) {
        self.closing.notify_waiters();
        let all = u32::try_from(CALLERS).unwrap_or(u32::MAX);
        // Whoever is in after that has been silent.
        let _ = timeout(FAREWELL, self.seats.acquire_many(all)).await;
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

/// Answers one caller line by line, until it leaves, stalls or says something that is no request.
async fn converse(
    mut stream: tokio::net::UnixStream,
    answer: Arc<impl Fn(Request, Option<u32>) -> Reply + Send + Sync + 'static>,
    left: &AtomicBool,
) -> io::Result<()> {
    let who = stream.peer_cred().ok();
    let uid = who.map(|who| who.uid());
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    while let Some(line) = timeout(PATIENCE, read_line(&mut reader)).await?? {
        let reply = match decode::<Request>(&line) {
            // A change would be lost with this process.
            Ok(request) if request.changes() && left.load(Relaxed) => Reply::HandedOver,
            Ok(request) => {
                note(&request, who);
                let answer = Arc::clone(&answer);
                // A panic in an answer is that caller's loss alone.
                tokio::task::spawn_blocking(move || answer(request, uid))
                    .await
                    .map_err(io::Error::other)?
            }
            Err(error) => {
                let sorry = encode(&Reply::Failed {
                    message: error.to_string(),
                });
                timeout(PATIENCE, writer.write_all(&sorry)).await??;
                return Ok(());
            }
        };
        timeout(PATIENCE, writer.write_all(&encode(&reply))).await??;
        if left.load(Relaxed) {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads one whole line; `None` at the end, also in the middle of a line.
async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader
        .take(MAX_REQUEST as u64)
        .read_until(b'\n', &mut line)
        .await?;
    match line.last() {
        Some(b'\n') => Ok(Some(line)),
        _ if line.len() < MAX_REQUEST => Ok(None),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a line over 64 MiB",
        )),
    }
}

/// Whoever changes something is in the log.
fn note(request: &Request, who: Option<UCred>) {
    if request.changes() {
        let uid = who.map(|who| who.uid());
        let pid = who.and_then(|who| who.pid());
        tracing::info!(?request, uid, pid, "an operator asks for a change");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::control::client::ask;

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

    /// Serves answers that count the blocks to be cleared, until the guard is dropped.
    fn served(path: &Path) -> tokio::runtime::Runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let door = Door::claim(path).unwrap();
        runtime.spawn(door.serve(|request, _| match request {
            Request::ClearBlocks => Reply::BlocksRemoved { count: 3 },
            other => Reply::Failed {
                message: format!("{other:?}"),
            },
        }));
        runtime
    }

    fn answers(path: &Path) -> bool {
        matches!(
            ask(path, &Request::ClearBlocks),
            Ok(Reply::BlocksRemoved { count: 3 })
        )
    }

    fn said(path: &Path, words: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).unwrap();
        // The service may have hung up already.
        let _ = stream.write_all(words);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn garbage_and_half_lines_harm_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _runtime = served(&path);
        assert!(said(&path, b"GET / HTTP/1.1\r\n").contains("not a message"));
        assert!(said(&path, b"{\"version\":9,\"body\":\"status\"}\n").contains("version 9"));
        assert!(said(&path, b"\xff\xfe\0\n").contains("not a message"));
        assert_eq!(said(&path, b""), "");
        assert_eq!(said(&path, b"{\"version\":1,\"body\":\"clear_bl"), "");
        assert_eq!(said(&path, &vec![b'x'; MAX_REQUEST + 10]), "");
        assert_eq!(said(&path, &vec![b'['; 100_000]), "");
        assert!(
            said(&path, &[vec![b'['; 100_000], vec![b'\n']].concat()).contains("not a message")
        );
        assert!(answers(&path));
    }

    #[test]
    fn silent_callers_do_not_keep_others_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _runtime = served(&path);
        let silent: Vec<_> = (1..CALLERS)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        assert!(answers(&path));
        drop(silent);
    }

    #[test]
    fn one_caller_may_ask_many_times() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _runtime = served(&path);
        let twice = [encode(&Request::ClearBlocks), encode(&Request::ClearBlocks)].concat();
        let answer = said(&path, &twice);
        assert_eq!(answer.lines().count(), 2, "{answer}");
    }
}
