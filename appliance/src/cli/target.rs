//! Which running service a command means.

use std::path::{Path, PathBuf};

use clap::Args;
use floodwall_config::Config;

use super::Failure;
use crate::control::{
    client::{AskError, ask},
    protocol::{Reply, Request},
};

/// The file of a service that was installed as a package.
pub(super) const DEFAULT_FILE: &str = "/etc/floodwall/floodwall.yaml";

/// The options that find a service's control socket.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The file the service was started with; its admin.socket is asked
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,

    /// The service's control socket, whatever its file says
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Target {
    /// Asks the service. A request that it does not grant is a [`Failure`] in its own words.
    pub(super) fn ask(&self, request: &Request) -> Result<Reply, Failure> {
        ask_at(&self.socket()?, request)
    }

    /// Asks the service; nothing when its file names it and it does not run.
    pub(super) fn ask_if_running(&self, request: &Request) -> Result<Option<Reply>, Failure> {
        match ask(&self.socket()?, request) {
            Err(AskError::NotRunning(_)) if self.socket.is_none() => Ok(None),
            Err(error) => Err(Failure::Failed(error.to_string())),
            Ok(Reply::Failed { message }) => Err(Failure::Failed(message)),
            Ok(reply) => Ok(Some(reply)),
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.config
    }

    /// A file that is wrong in other places still names the socket: the service that it does not describe any
    /// more must be within reach.
    pub(super) fn socket(&self) -> Result<PathBuf, Failure> {
        match &self.socket {
            Some(socket) => Ok(socket.clone()),
            None => socket_of(&self.config),
        }
    }
}

/// Asks the service behind a socket. A request that it does not grant is a [`Failure`] in its own words.
pub(super) fn ask_at(socket: &Path, request: &Request) -> Result<Reply, Failure> {
    match ask(socket, request) {
        Ok(Reply::Failed { message }) => Err(Failure::Failed(message)),
        Ok(reply) => Ok(reply),
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

fn socket_of(file: &Path) -> Result<PathBuf, Failure> {
    Config::socket_of(file)
        .map_err(|problems| Failure::Wrong(format!("{problems}\nno control socket is known: name the service's file with -c, or its socket with --socket")))
}

/// An answer that does not belong to the question: the two ends are not the same program.
pub(super) fn unexpected(_: &Reply) -> Failure {
    Failure::Failed(
        "the service gave the answer to another question; it may be of another release than this program: systemctl \
         restart floodwall"
            .to_owned(),
    )
}
