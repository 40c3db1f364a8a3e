//! What the new process does.

use std::{
    collections::HashMap,
    env,
    fs::File,
    io::{self, IoSliceMut, Read},
    mem::MaybeUninit,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixDatagram, UnixListener},
    },
    path::Path,
    time::Duration,
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::{END, LETTER, READY, VARIABLE};

/// What a predecessor left; nothing when this process is the first.
#[derive(Debug, Default)]
pub struct Inheritance {
    line: Option<UnixDatagram>,
    sockets: HashMap<String, OwnedFd>,
}

/// A predecessor gives everything at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than any letter.
const MOST_BYTES: u64 = 4 << 20;

/// Longer than any name.
const MOST_LETTERS: usize = 1024;

impl Inheritance {
    /// Takes what the predecessor gives, if there is one.
    ///
    /// # Errors
    /// When there should be one and it gives nothing.
    pub fn from_environment() -> io::Result<Self> {
        if env::var_os(VARIABLE).is_none() {
            return Ok(Self::default());
        }
        let line = UnixDatagram::from(io::stdin().as_fd().try_clone_to_owned()?);
        line.set_read_timeout(Some(PATIENCE))?;
        let mut sockets = HashMap::new();
        loop {
            let (name, socket) = receive(&line)?;
            match socket {
                Some(socket) => sockets.insert(name, socket),
                None if name == END => break,
                None => return Err(io::ErrorKind::InvalidData.into()),
            };
        }
        Ok(Self {
            line: Some(line),
            sockets,
        })
    }

    /// Whether another process serves until this one does.
    pub fn has_predecessor(&self) -> bool {
        self.line.is_some()
    }

    /// A socket by its whole name, if it listens at this address.
    pub fn tcp(&mut self, name: &str, address: SocketAddr) -> Option<TcpListener> {
        let listener = TcpListener::from(self.sockets.remove(name)?);
        (listener.local_addr().ok()? == address).then_some(listener)
    }

    /// A unix socket, if it listens at this path.
    pub fn unix(&mut self, name: &str, path: &Path) -> Option<UnixListener> {
        let listener = UnixListener::from(self.sockets.remove(name)?);
        (listener.local_addr().ok()?.as_pathname() == Some(path)).then_some(listener)
    }

    /// What the predecessor had to say; nothing from one that says nothing, or too much.
    pub fn letter(&mut self) -> Option<Vec<u8>> {
        let letter = File::from(self.sockets.remove(LETTER)?);
        let mut content = Vec::new();
        letter.take(MOST_BYTES).read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Tells the predecessor that this process serves.
    pub fn ready(self) {
        if let Some(line) = self.line
            && let Err(error) = line.send(READY.as_bytes())
        {
            tracing::warn!(%error, "the predecessor cannot be told that this process serves");
        }
    }
}

/// One message: a name, and the socket that goes by it.
fn receive(line: &UnixDatagram) -> io::Result<(String, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0; MOST_LETTERS];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(line, &mut [IoSliceMut::new(&mut word)], &mut control, flags)?;
    let mut sockets = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    let socket = sockets.next().and_then(|mut sockets| sockets.next());
    let name = String::from_utf8_lossy(&word[..received.bytes]).into_owned();
    Ok((name, socket))
}
