//! The service as a child process, with this test as its service manager.

use std::{
    fs::{self, File},
    os::unix::net::UnixDatagram,
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::site::{Site, floodwall};

/// Whatever takes longer than this does not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running service. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    notifications: Receiver<String>,
}

impl Service {
    /// Starts the site's service, and returns when it says that it is ready.
    pub(crate) fn start(site: &Site) -> Self {
        Self::start_with(site, &[])
    }

    /// The same, with more environment.
    pub(crate) fn start_with(site: &Site, environment: &[(&str, &str)]) -> Self {
        let mut service = Self::spawn(site, environment);
        let ready = service.hear("READY=1").unwrap_or_else(|| {
            panic!(
                "the service did not become ready: {}",
                fs::read_to_string(site.path("stderr")).unwrap_or_default()
            )
        });
        assert!(ready.contains("STATUS=generation 1"), "{ready}");
        service
    }

    fn spawn(site: &Site, environment: &[(&str, &str)]) -> Self {
        let socket = site.path("notify");
        // What an earlier service of this site spoke to.
        let _ = fs::remove_file(&socket);
        let notifications = listen(UnixDatagram::bind(&socket).unwrap());
        let child = floodwall(&["run"])
            .arg("-c")
            .arg(site.file())
            .env("NOTIFY_SOCKET", &socket)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(File::create(site.path("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            notifications,
        }
    }

    /// Waits for the next notification with these words in it. `None` when the service ends first.
    pub(crate) fn hear(&mut self, words: &str) -> Option<String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.notifications.recv_timeout(Duration::from_millis(50)) {
                Ok(heard) if heard.contains(words) => return Some(heard),
                Err(_) if self.child.try_wait().unwrap().is_some() => return None,
                Ok(_) | Err(_) => {}
            }
        }
        panic!("heard nothing of {words} within {PATIENCE:?}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end, and tells the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        panic!("still running after {PATIENCE:?}");
    }
}

/// Reads every notification at once, as a service manager does, until nobody wants them any more.
fn listen(socket: UnixDatagram) -> Receiver<String> {
    let (heard, notifications) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            if heard
                .send(String::from_utf8_lossy(&buffer[..length]).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    notifications
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
