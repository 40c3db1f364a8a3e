//! What the service manager is told, as `sd_notify(3)` and `sd_watchdog_enabled(3)` describe it.
//!
//! Outside of systemd nothing is told and nothing fails.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use floodwall_limiter::clock::Clock;

use crate::clock::Monotonic;

/// A manager whose queue is full for this long is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The line to the service manager; a line to nobody when there is none.
#[derive(Debug)]
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
}

impl Manager {
    /// Finds the manager by `NOTIFY_SOCKET`.
    pub fn from_environment() -> Self {
        let socket = env::var("NOTIFY_SOCKET").ok().and_then(|path| {
            connect(&path)
                .inspect_err(|error| tracing::warn!(path, %error, "the service manager cannot be told anything"))
                .ok()
        });
        Self { socket }
    }

    /// Every listener is bound and requests are served, which is a sign of life too: processes that take over from one
    /// another at short intervals give no other.
    pub fn ready(&self, status: &str) {
        // A successor that was started by the main process is the main one from now on.
        let pid = std::process::id();
        self.tell(&format!(
            "READY=1\nMAINPID={pid}\nWATCHDOG=1\nSTATUS={}",
            one_line(status)
        ));
    }

    /// A reload began. [`Manager::ready`] ends it.
    pub fn reloading(&self) {
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}",
            Monotonic.now().0 / 1_000
        ));
    }

    /// The service stops taking connections.
    pub fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={}", one_line(status)));
    }

    /// The service is alive.
    pub fn watchdog(&self) {
        self.tell("WATCHDOG=1");
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!(%error, "the service manager did not take a notification");
        }
    }
}

/// How long the manager waits between two signs of life: `WATCHDOG_USEC`, when it is meant for this process.
pub fn watchdog_interval() -> Option<Duration> {
    let pid = env::var("WATCHDOG_PID").ok();
    if pid.is_some_and(|pid| pid.parse() != Ok(std::process::id())) {
        return None;
    }
    let micros = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// Tells whether standard error goes to the journal, which reads a priority from the start of each line.
pub fn stderr_is_journal() -> bool {
    use std::os::fd::AsFd;
    let Ok(wanted) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    nix::sys::stat::fstat(io::stderr().as_fd())
        .is_ok_and(|stat| wanted == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// A name that begins with `@` is in the abstract namespace.
fn connect(path: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}

/// A line break would begin another assignment.
fn one_line(status: &str) -> String {
    status.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager_at(path: &str) -> Manager {
        Manager {
            socket: Some(connect(path).unwrap()),
        }
    }

    fn heard(socket: &UnixDatagram) -> String {
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_manager_hears_each_state_as_one_datagram() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = manager_at(path.to_str().unwrap());
        manager.ready("two\nlines");
        let pid = std::process::id();
        assert_eq!(
            heard(&socket),
            format!("READY=1\nMAINPID={pid}\nWATCHDOG=1\nSTATUS=two lines")
        );
        manager.reloading();
        let reloading = heard(&socket);
        let (first, second) = reloading.split_once('\n').unwrap();
        assert_eq!(first, "RELOADING=1");
        assert!(
            second
                .strip_prefix("MONOTONIC_USEC=")
                .unwrap()
                .parse::<u64>()
                .unwrap()
                > 0
        );
        manager.stopping("bye");
        assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=bye");
        manager.watchdog();
        assert_eq!(heard(&socket), "WATCHDOG=1");
    }

    #[test]
    fn a_manager_that_is_gone_harms_nobody() {
        manager_at("/nowhere/notify").ready("hello");
        Manager { socket: None }.ready("hello");
    }
}
