//! A server that does to each connection exactly what a test says, right or wrong.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use socket2::SockRef;

use crate::{Loopback, wait::PATIENCE};

/// A server on threads of this process; it ends with the process.
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
}

/// One connection to it.
#[derive(Debug)]
pub struct Stage(BufReader<TcpStream>);

impl Script {
    /// Has every connection played as `play` says; it is closed when that is over.
    pub fn start(play: impl Fn(&mut Stage) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Loopback::claim().ip(), 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let play = Arc::new(play);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let play = Arc::clone(&play);
                thread::spawn(move || -> io::Result<()> {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    // Whoever asked may have had enough; what matters is what the client is told.
                    play(&mut Stage(BufReader::new(stream)))
                });
            }
        });
        Self { address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Stage {
    /// Reads a head, and gives it as it came.
    ///
    /// # Errors
    /// When the connection ends first, or says nothing for too long.
    pub fn head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head)
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    /// As [`Stage::head`].
    pub fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads to the end of the connection.
    ///
    /// # Errors
    /// When it says nothing for too long.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether nothing comes for so long.
    ///
    /// # Errors
    /// When the connection ends or breaks.
    pub fn hears_nothing_for(&mut self, span: Duration) -> io::Result<bool> {
        self.0.get_ref().set_read_timeout(Some(span))?;
        let heard = self.0.fill_buf().map(<[u8]>::is_empty);
        self.0.get_ref().set_read_timeout(Some(PATIENCE))?;
        match heard {
            Ok(true) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(false) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish(&self) -> io::Result<()> {
        self.0.get_ref().shutdown(Shutdown::Write)
    }

    /// Makes the end of the connection a reset.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn reset(&self) -> io::Result<()> {
        SockRef::from(self.0.get_ref()).set_linger(Some(Duration::ZERO))
    }
}
