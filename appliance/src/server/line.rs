//! A client's socket with its place in the census, TCP or unix: nothing above it needs to know which.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use nix::sys::socket::{MsgFlags, recv};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpStream, UnixStream},
};

use super::census::Seat;

/// An accepted socket.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Looks, takes nothing, and does not wait.
const PEEK: MsgFlags = MsgFlags::MSG_PEEK.union(MsgFlags::MSG_DONTWAIT);

/// A socket that is in the census for as long as it is open.
#[derive(Debug)]
pub struct Line {
    seat: Seat,
    socket: Socket,
    /// Whether the kernel was asked for bytes: until then the runtime takes every socket for one that has some.
    asked: bool,
}

/// Does the same to either kind of socket.
macro_rules! either {
    ($socket:expr, $inner:ident => $act:expr) => {
        match $socket {
            Socket::Tcp($inner) => $act,
            Socket::Unix($inner) => $act,
        }
    };
}

impl Socket {
    /// Makes the end a reset instead of an orderly one, so that no state stays behind on this side.
    pub fn reset(&self) {
        if let Self::Tcp(stream) = self {
            // If this fails the connection is closed in order, which is only less cheap.
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, stream => stream.as_fd())
    }
}

impl Line {
    pub fn new(socket: Socket, seat: Seat) -> Self {
        if let Socket::Tcp(stream) = &socket {
            // A connection that cannot be set so is one that is gone already.
            let _ = stream.set_nodelay(true);
        }
        Self {
            seat,
            socket,
            asked: false,
        }
    }

    pub fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }

    pub fn reset(&self) {
        self.socket.reset();
    }

    /// Comes true when the socket has something to read, its end, or an error.
    pub fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let fd = self.as_raw_fd();
        let look = || recv(fd, &mut [0; 1], PEEK).map_err(io::Error::from);
        loop {
            // An error is told by the read that follows.
            let ready = either!(&self.socket, stream => stream.poll_read_ready(context));
            let _ = ready!(ready);
            let asked = std::mem::replace(&mut self.asked, true);
            if asked {
                return Poll::Ready(());
            }
            let seen = either!(&self.socket, stream => stream.try_io(Interest::READABLE, look));
            if !seen.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return Poll::Ready(());
            }
        }
    }

    /// Waits until more than `known` bytes have come, and copies what there is without taking it. Gives 0 when the
    /// other end has sent its last.
    ///
    /// # Errors
    /// Those of recv(2).
    pub async fn peek(&self, buffer: &mut [u8], known: usize) -> io::Result<usize> {
        let mut look = || {
            let fd = self.socket.as_fd().as_raw_fd();
            match recv(fd, buffer, PEEK)? {
                seen if seen <= known => Err(io::ErrorKind::WouldBlock.into()),
                seen => Ok(seen),
            }
        };
        loop {
            let ready = either!(&self.socket, stream => stream.ready(Interest::READABLE).await)?;
            match either!(&self.socket, stream => stream.try_io(Interest::READABLE, &mut look)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                seen => return seen,
            }
            // The end stays readable for ever: waiting for more would be a loop without a pause.
            if ready.is_read_closed() {
                return Ok(0);
            }
        }
    }
}

impl Drop for Line {
    /// Leaves the census before the socket is closed. One that was cut is reset: what waits to be sent is given
    /// up, and no state stays behind for a client that nobody hears any more.
    fn drop(&mut self) {
        if self.seat.leave() {
            self.socket.reset();
        }
    }
}

impl AsRawFd for Line {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        line.asked = true;
        either!(&mut line.socket, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.get_mut().socket, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.get_mut().socket, stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.get_mut().socket, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.get_mut().socket, stream => Pin::new(stream).poll_shutdown(context))
    }
}
