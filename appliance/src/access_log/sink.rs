//! Where the log goes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    time::Duration,
};

use floodwall_config as config;
use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// An opened target. Of files, a pipe never makes its writer wait.
#[derive(Debug)]
pub struct Sink(Option<File>);

impl Sink {
    /// Opens the log where the configuration wants it.
    ///
    /// # Errors
    /// When the file cannot be opened for appending, or is a pipe that nobody reads.
    pub fn open(target: &config::AccessLog) -> io::Result<Self> {
        let file = match target {
            config::AccessLog::Off => return Ok(Self(None)),
            config::AccessLog::Stdout => io::stdout().as_fd().try_clone_to_owned()?.into(),
            config::AccessLog::Stderr => io::stderr().as_fd().try_clone_to_owned()?.into(),
            config::AccessLog::File(path) => OpenOptions::new()
                .create(true)
                .append(true)
                .custom_flags(OFlag::O_NONBLOCK.bits())
                .open(path)
                .map_err(of_pipe)?,
        };
        Ok(Self(Some(file)))
    }

    /// Whether anybody reads what is written.
    pub(super) fn is_read(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            None => Ok(bytes.len()),
            Some(file) => match file.write(bytes)? {
                0 => Err(io::ErrorKind::WriteZero.into()),
                taken => Ok(taken),
            },
        }
    }

    /// Waits until a pipe has room again, for `patience` at most.
    pub(super) fn wait(&self, patience: Duration) {
        if let Some(file) = &self.0 {
            let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
            // Whatever comes of it, the next write tells more.
            let _ = poll(
                &mut fds,
                PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX),
            );
        }
    }
}

fn of_pipe(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(Errno::ENXIO as i32) {
        io::Error::other("it is a pipe that nobody reads")
    } else {
        error
    }
}
