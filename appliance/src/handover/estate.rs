//! What the old process does.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, IoSlice, Seek, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};

use super::{END, LETTER, READY, VARIABLE};

/// The program that this process runs, as it was started: what lies at its path may be a newer one by now.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// The sockets that a successor is to have, by name.
#[derive(Debug, Default)]
pub struct Estate(Vec<(String, OwnedFd)>);

/// Why there is no successor. This process serves on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{} cannot be started: {cause}", .program.display())]
    Start { program: PathBuf, cause: io::Error },
    #[error("the sockets cannot be given to the new process: {0}")]
    Give(io::Error),
    #[error("the new process ended before it served ({0}); its reason is in the log")]
    Ended(ExitStatus),
    #[error("the new process did not serve within {} seconds", PATIENCE.as_secs())]
    Silent,
}

/// How long a new process may take until it serves: it reads a file of any size and loads a program into the kernel.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often the new process is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl Program {
    /// The program as it is now: a file that is replaced later has another one at its path.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn present() -> io::Result<Self> {
        Ok(Self {
            path: env::current_exe()?,
            arguments: env::args_os().skip(1).collect(),
        })
    }

    fn start(&self, line: UnixDatagram) -> Result<Child, Failure> {
        Command::new(&self.path)
            .args(&self.arguments)
            .env(VARIABLE, "stdin")
            // The service manager meant this process, and takes its successor for it.
            .env_remove("WATCHDOG_PID")
            .stdin(OwnedFd::from(line))
            .spawn()
            .map_err(|cause| Failure::Start {
                program: self.path.clone(),
                cause,
            })
    }
}

impl Estate {
    pub fn add(&mut self, name: String, socket: OwnedFd) {
        self.0.push((name, socket));
    }

    /// Starts a successor, gives it the sockets and a `letter`, and returns its process number once it serves.
    /// `meanwhile` is called every now and then.
    ///
    /// # Errors
    /// [`Failure`]; there is no successor then.
    pub fn hand_over(
        &self,
        program: &Program,
        letter: &[u8],
        meanwhile: impl FnMut(),
    ) -> Result<u32, Failure> {
        let letter = in_memory(letter).map_err(Failure::Give)?;
        let (line, theirs) = UnixDatagram::pair().map_err(Failure::Give)?;
        let mut child = program.start(theirs)?;
        let outcome = self
            .give(&line, &letter)
            .and_then(|()| serves(&line, &mut child, meanwhile));
        if outcome.is_err() {
            // Ended already, perhaps.
            let _ = child.kill();
            let _ = child.wait();
        }
        outcome.map(|()| child.id())
    }

    fn give(&self, line: &UnixDatagram, letter: &OwnedFd) -> Result<(), Failure> {
        let give = || {
            line.set_write_timeout(Some(PATIENCE))?;
            for (name, socket) in &self.0 {
                send(line, name, socket)?;
            }
            send(line, LETTER, letter)?;
            line.send(END.as_bytes()).map(drop)
        };
        give().map_err(Failure::Give)
    }
}

/// A file in memory that begins at its beginning for whoever reads it next.
fn in_memory(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(LETTER, MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

/// One message: a name, and the socket that goes by it.
fn send(line: &UnixDatagram, name: &str, socket: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sockets = [socket.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&sockets));
    let words = [IoSlice::new(name.as_bytes())];
    sendmsg(line, &words, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn serves(
    line: &UnixDatagram,
    child: &mut Child,
    mut meanwhile: impl FnMut(),
) -> Result<(), Failure> {
    line.set_read_timeout(Some(LOOK)).map_err(Failure::Give)?;
    let end = Instant::now() + PATIENCE;
    let mut word = [0; 16];
    while Instant::now() < end {
        if let Ok(length) = line.recv(&mut word)
            && word[..length] == *READY.as_bytes()
        {
            return Ok(());
        }
        if let Some(status) = child.try_wait().map_err(Failure::Give)? {
            return Err(Failure::Ended(status));
        }
        meanwhile();
    }
    Err(Failure::Silent)
}
