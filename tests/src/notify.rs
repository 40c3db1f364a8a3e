//! The service manager's end of `sd_notify`: it hears when the service is ready.

use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

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
