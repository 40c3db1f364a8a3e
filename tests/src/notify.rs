//! The service manager's end of `sd_notify`: it hears when the service is ready.

use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use crate::wait;

/// Said to oneself.
const MARK: &str = "X_HEARD=all";

/// A socket that listens to one service.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: UnixDatagram,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    pub(crate) fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("the folder takes a socket");
        let listening = socket.try_clone().expect("a socket can be cloned");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let writing = Arc::clone(&heard);
        thread::spawn(move || listen(&listening, &writing));
        Self { socket, heard }
    }

    /// Waits until everything is heard that was said by now.
    pub(crate) fn hear_all(&self) {
        let before = self.marks();
        let address = self.socket.local_addr().expect("the socket is bound");
        let path = address.as_pathname().expect("it was bound to a path");
        self.socket
            .send_to(MARK.as_bytes(), path)
            .expect("the socket takes what it sends itself");
        let heard = wait::until(wait::PATIENCE, || (self.marks() > before).then_some(()));
        assert!(heard.is_some(), "the listening thread has ended");
    }

    fn marks(&self) -> usize {
        self.heard().iter().filter(|line| *line == MARK).count()
    }

    /// All lines so far, such as `READY=1`.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // An empty datagram ends the thread, see below. If it cannot be sent the thread is gone.
        let _ = self.socket.local_addr().map(|address| {
            address
                .as_pathname()
                .map(|path| self.socket.send_to(b"", path))
        });
    }
}

fn listen(socket: &UnixDatagram, heard: &Mutex<Vec<String>>) {
    let mut datagram = [0; 4096];
    while let Ok(length @ 1..) = socket.recv(&mut datagram) {
        let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(text.lines().map(str::to_owned));
    }
}
