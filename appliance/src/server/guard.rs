//! The stream under a connection: it bounds a request's head in time and size, and answers in the right words
//! when the head never becomes a request.
//!
//! Pingora reads a head for as long as bytes keep dripping, up to a mebibyte, and answers what it cannot parse
//! before any phase sees it. This wrapper cuts both: it knows that a head is coming in ([`Phase::Head`]), and
//! that a response written in that phase can only be such an answer.

use std::{
    future::Future,
    io::{self, IoSlice},
    os::fd::AsRawFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use async_trait::async_trait;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType, l4::socket::SocketAddr as PingoraAddress,
    raw_connect::ProxyDigest,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf},
    time::Sleep,
};

use crate::{
    early,
    server::{
        connection::Connection,
        head::{Head, Most},
        peer::Peer,
        progress::{GRACE, Moment, Phase, Progress},
        wire::Wire,
    },
};

/// A client's stream with its connection's rules.
#[derive(Debug)]
pub struct Guard {
    /// A response's header and the beginning of its body leave in one segment.
    inner: BufWriter<Wire>,
    connection: Arc<Connection>,
    progress: Arc<Progress>,
    digest: Arc<SocketDigest>,
    established: SystemTime,
    head: Head,
    timer: Option<Timer>,
    /// What is still to be written of an answer in place of the server's own; then the connection ends.
    answer: Option<Vec<u8>>,
}

/// What is written waits in a buffer of so many bytes until it is flushed: one Ethernet segment.
const WRITE_BUFFER: usize = 1460;

/// A clock, and what it was set for.
#[derive(Debug)]
struct Timer {
    of: Moment,
    sleep: Pin<Box<Sleep>>,
}

impl Guard {
    pub fn new(wire: Wire, connection: Arc<Connection>) -> Self {
        let digest = SocketDigest::from_raw_fd(wire.as_raw_fd());
        // Known already; asking the kernel again would cost a system call a request.
        let _ = digest.peer_addr.set(match connection.peer {
            Peer::Direct(address) | Peer::Told(address) => Some(PingoraAddress::Inet(address)),
            Peer::Local => None,
        });
        Self {
            inner: BufWriter::with_capacity(WRITE_BUFFER, wire),
            connection,
            progress: Arc::default(),
            digest: Arc::new(digest),
            established: SystemTime::now(),
            head: Head::default(),
            timer: None,
            answer: None,
        }
    }

    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// What the bytes come over.
    pub(super) fn wire(&self) -> &Wire {
        self.inner.get_ref()
    }

    /// How far the present request is.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Ends a head that is too slow or too large: one answer, one line in the log, and no more reading.
    fn cut(&mut self, context: &mut Context<'_>, fault: early::Fault) -> io::Error {
        self.answer = Some(early::answer(&self.connection, fault));
        // Best effort: a client that does not read its answer gets none.
        let _ = self.write_answer(context);
        io::Error::new(io::ErrorKind::TimedOut, fault.what)
    }

    fn write_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(answer) = self.answer.as_mut().filter(|answer| !answer.is_empty()) {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, answer))?;
            answer.drain(..written);
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// Polls the clock of whatever is bounded now. A timer is made only when a read had to wait.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = self.progress.moment();
        if self.timer.as_ref().is_none_or(|timer| timer.of != now) {
            let span = match now.phase {
                Phase::Idle => None,
                Phase::Head => Some(self.connection.rules.header),
                Phase::Request => {
                    let left = self.progress.time_left(self.connection.host.now());
                    left.map(|left| left + GRACE)
                }
            };
            self.timer = span.map(|span| Timer {
                of: now,
                sleep: Box::pin(tokio::time::sleep(span)),
            });
        }
        match &mut self.timer {
            Some(timer) => timer.sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    /// Looks at what was read, as long as it belongs to a head.
    fn look(&mut self, bytes: &[u8]) -> Option<early::Fault> {
        match self.progress.phase() {
            Phase::Idle if !bytes.is_empty() => {
                self.progress.enter(Phase::Head);
                self.head = Head::default();
            }
            Phase::Head => {}
            _ => return None,
        }
        let rules = &self.connection.rules;
        self.head.take(
            bytes,
            Most {
                bytes: rules.header_bytes,
                fields: rules.headers,
            },
        );
        self.head.fault()
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.answer.is_some() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let phase = self.progress.phase();
        let before = buffer.filled().len();
        match Pin::new(&mut self.inner).poll_read(context, buffer) {
            Poll::Ready(result) => {
                result?;
                if let Some(fault) = self.look(&buffer.filled()[before..]) {
                    return Poll::Ready(Err(self.cut(context, fault)));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                ready!(self.poll_deadline(context));
                let error = if phase == Phase::Head {
                    self.cut(context, early::HEAD_TOO_SLOW)
                } else {
                    io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the request took longer than its route allows",
                    )
                };
                Poll::Ready(Err(error))
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.progress.phase() == Phase::Head && self.answer.is_none() {
            self.answer = Some(early::answer(&self.connection, early::fault_of(bytes)));
        }
        if self.answer.is_some() {
            // The server's own words are swallowed; ours go out in their place.
            ready!(self.write_answer(context))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.progress.phase() == Phase::Head || self.answer.is_some() {
            let first = slices
                .iter()
                .find(|slice| !slice.is_empty())
                .map_or(&[][..], |slice| slice);
            return self.poll_write(context, first);
        }
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[async_trait]
impl Shutdown for Guard {
    async fn shutdown(&mut self) {
        let within = self.connection.rules.write;
        // What the buffer holds is flushed first. A client that is gone or reads nothing takes nothing more.
        let _ = tokio::time::timeout(within, AsyncWriteExt::shutdown(&mut self.inner)).await;
    }
}

/// Nothing looks ahead: what a connection speaks is known from its listener.
impl Peek for Guard {}

impl UniqueID for Guard {
    fn id(&self) -> UniqueIDType {
        self.inner.get_ref().as_raw_fd()
    }
}

impl Ssl for Guard {}

impl GetTimingDigest for Guard {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        vec![Some(TimingDigest {
            established_ts: self.established,
            establishment_duration: None,
            offload_wait_duration: None,
        })]
    }
}

impl GetProxyDigest for Guard {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Guard {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.digest = Arc::new(digest);
    }
}
