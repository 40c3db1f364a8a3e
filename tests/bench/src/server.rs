//! A server of somebody else's, as a process with a folder of its own.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail};
use floodwall_tests::wait;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// A running server; ended when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    _folder: TempDir,
}

impl Server {
    /// Starts a program on a configuration in a folder that `config` is told, and waits until `listen` accepts.
    ///
    /// A caller in a network namespace gets a server in that namespace.
    pub(crate) fn start(
        listen: SocketAddr,
        config: impl FnOnce(&Path) -> String,
        command: impl FnOnce(&Path) -> Command,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodwall-bench-")
            .tempdir()?;
        let file = folder.path().join("config");
        fs::write(&file, config(folder.path()))?;
        let log = folder.path().join("log");
        let output = File::create(&log)?;
        let mut process = command(&file)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("starting a server that .ci/need bench installs")?;
        let accepts = || TcpStream::connect(listen).is_ok().then_some(());
        if wait::until(wait::PATIENCE, accepts).is_none() {
            // Most likely it has ended by itself, and its log tells why.
            let _ = process.kill();
            process.wait()?;
            bail!("no server on {listen}:\n{}", fs::read_to_string(&log)?);
        }
        Ok(Self {
            process,
            _folder: folder,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not SIGKILL: a master must have the time to end its workers.
        if let Ok(pid) = i32::try_from(self.process.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let ended = || self.process.try_wait().ok().flatten();
        if wait::until(wait::PATIENCE, ended).is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
