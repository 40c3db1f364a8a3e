//! Opening connections, so that they are in the book from their first moment to their last.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
};

use async_trait::async_trait;
use pingora_core::{
    connectors::L4Connect,
    protocols::l4::{socket::SocketAddr, stream::Stream},
    upstreams::peer::{Tracer, Tracing},
};
use pingora_error::{Error, ErrorType, OrErr, Result};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UnixStream},
};

use super::{BOOK, State};

/// Opens connections for an upstream. The bound on the time that takes is the engine's.
#[derive(Debug)]
pub(in crate::upstream) struct Opener {
    state: Arc<State>,
    /// What every connection begins with.
    preface: Vec<u8>,
}

impl Opener {
    pub(in crate::upstream) fn new(state: &Arc<State>, preface: Vec<u8>) -> Self {
        Self {
            state: Arc::clone(state),
            preface,
        }
    }

    async fn begin(&self, stream: &mut (impl AsyncWriteExt + Unpin)) -> Result<()> {
        stream.write_all(&self.preface).await.or_err(
            ErrorType::ConnectError,
            "the header of the PROXY protocol was not taken",
        )
    }
}

#[async_trait]
impl L4Connect for Opener {
    async fn connect(&self, to: &SocketAddr) -> Result<Stream> {
        let mut stream: Stream = match to {
            SocketAddr::Inet(address) => {
                let stream = TcpStream::connect(address).await;
                let mut stream = stream.map_err(|error| unreachable(to, error))?;
                self.begin(&mut stream).await?;
                stream.into()
            }
            SocketAddr::Unix(address) => {
                let path = address.as_pathname().unwrap_or("".as_ref());
                let stream = UnixStream::connect(path).await;
                let mut stream = stream.map_err(|error| unreachable(to, error))?;
                self.begin(&mut stream).await?;
                stream.into()
            }
        };
        let fd = stream.as_raw_fd();
        let number = BOOK.with_borrow_mut(|book| book.open(fd, &self.state));
        stream.tracer = Some(Tracer(Box::new(Witness { fd, number })));
        Ok(stream)
    }
}

/// The error by which the engine tells failures to connect apart.
#[expect(clippy::unnecessary_box_returns, reason = "the engine's errors are")]
fn unreachable(to: &SocketAddr, error: io::Error) -> Box<Error> {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorType::ConnectTimedout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            ErrorType::ConnectNoRoute
        }
        _ => ErrorType::ConnectError,
    };
    Error::because(kind, format!("no connection to {to}"), error)
}

/// Sees a connection's end, while its descriptor is still open.
#[derive(Clone, Debug)]
struct Witness {
    fd: RawFd,
    number: u64,
}

impl Tracing for Witness {
    fn on_connected(&self) {}

    fn on_disconnected(&self) {
        // The book of a thread that ends may be gone before its last connection.
        let _ = BOOK.try_with(|book| book.borrow_mut().close(self.fd, self.number));
    }

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(self.clone())
    }
}
