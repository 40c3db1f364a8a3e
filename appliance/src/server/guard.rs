//! The stream under a connection: it gives the engine one well-formed request at a time, bounds it in time and size,
//! and answers in the right words when a head never becomes a request.
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
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType, l4::socket::SocketAddr as PingoraAddress,
    raw_connect::ProxyDigest,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::Sleep,
};

use crate::{
    early,
    server::{
        body::Framing,
        connection::Connection,
        cork::Cork,
        intake::Intake,
        linger::Linger,
        pace::Pace,
        peer::Peer,
        progress::{GRACE, Moment, Phase, Progress},
        wire::Wire,
    },
};

/// A client's stream with its connection's rules.
#[derive(Debug)]
pub struct Guard {
    /// A response's header and the beginning of its body leave in one segment.
    inner: ClientStream,
    connection: Arc<Connection>,
    progress: Arc<Progress>,
    digest: Arc<SocketDigest>,
    established: SystemTime,
    intake: Intake,
    pace: Pace,
    /// The engine reads what is still to come of a request's body.
    waits_for_body: bool,
    timer: Option<Timer>,
    /// Runs while the client takes nothing of what is written to it.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The last word is said, and the client still sends.
    linger: Option<Linger>,
    /// What is still to be written of an answer in place of the server's own; then the connection ends.
    answer: Option<Vec<u8>>,
}

/// A client's bytes without the rules of requests.
pub type ClientStream = Cork<Wire>;

/// A clock, and what it was set for.
#[derive(Debug)]
struct Timer {
    of: Moment,
    sleep: Pin<Box<Sleep>>,
}

/// What took longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    Head,
    Body,
    Request,
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
            inner: Cork::new(wire),
            connection,
            progress: Arc::default(),
            digest: Arc::new(digest),
            established: SystemTime::now(),
            intake: Intake::default(),
            pace: Pace::default(),
            waits_for_body: false,
            timer: None,
            stalled: None,
            linger: None,
            answer: None,
        }
    }

    /// The client's stream, and what came behind the last request, for whoever speaks another protocol on it.
    pub fn into_parts(mut self) -> (ClientStream, BytesMut) {
        let held = self.intake.take_held();
        (self.inner, held)
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

    /// Comes true when there is something to read of the next request, or nothing more to wait for. Takes nothing.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.intake.holds() {
            return Poll::Ready(());
        }
        self.inner.get_mut().poll_readable(context)
    }

    /// Answers a head that is too slow, too large or none, and ends the connection: the engine closes what it
    /// cannot read without a word. A client that does not take its answer in time gets none.
    fn poll_last_word(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let linger = self.linger.get_or_insert_with(Linger::begin);
        if !linger.is_over(context)
            && ready!(self.write_answer(context)).is_ok()
            && ready!(Pin::new(&mut self.inner).poll_shutdown(context)).is_ok()
            && let Some(linger) = &mut self.linger
        {
            ready!(linger.poll(&mut self.inner, context));
        }
        Poll::Ready(io::ErrorKind::ConnectionAborted.into())
    }

    /// Whether more of the last request may be on its way.
    fn may_be_sending(&self) -> bool {
        let unread = self.progress.is_unsettled() && !self.intake.has_whole_body();
        unread || self.answer.is_some() || self.intake.holds()
    }

    fn write_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(answer) = self.answer.as_mut().filter(|answer| !answer.is_empty()) {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, answer))?;
            answer.drain(..written);
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// Polls the clock of whatever is bounded now. A timer is made only when a read had to wait.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<Late> {
        let now = self.progress.moment();
        if self.timer.as_ref().is_some_and(|timer| timer.of != now) {
            self.timer = None;
        }
        if self.timer.is_none() {
            let Some((span, _)) = self.patience() else {
                return Poll::Pending;
            };
            self.timer = Some(Timer {
                of: now,
                sleep: Box::pin(tokio::time::sleep(span)),
            });
        }
        while let Some(timer) = &mut self.timer {
            ready!(timer.sleep.as_mut().poll(context));
            match self.patience() {
                Some((_, Late::Head)) => return Poll::Ready(Late::Head),
                Some((left, late)) if left.is_zero() => return Poll::Ready(late),
                // What came in the meantime has paid for more.
                Some((left, _)) => {
                    let sleep = Box::pin(tokio::time::sleep(left));
                    self.timer = Some(Timer { of: now, sleep });
                }
                None => self.timer = None,
            }
        }
        Poll::Pending
    }

    /// How long what comes next may take, and what is late then.
    fn patience(&self) -> Option<(Duration, Late)> {
        let rules = &self.connection.rules;
        match self.progress.phase() {
            Phase::Idle => None,
            Phase::Head => Some((rules.header, Late::Head)),
            Phase::Request => {
                let deadline = self.progress.deadline();
                let whole = deadline.map(|deadline| {
                    let end = deadline.plus(GRACE.into());
                    (end.minus(self.connection.host.now()).into(), Late::Request)
                });
                let body = self
                    .pace
                    .left(rules.allowance())
                    .filter(|_| self.waits_for_body);
                let body = body.map(|left| (left, Late::Body));
                whole.into_iter().chain(body).min_by_key(|(left, _)| *left)
            }
        }
    }

    /// Reads what belongs to the present request. What comes behind it waits, and so does its client.
    fn poll_intake(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Result<(), early::Fault>>> {
        let (intake, progress) = (&mut self.intake, &self.progress);
        let rules = &self.connection.rules;
        let is_over = intake.is_over(progress, rules);
        self.waits_for_body =
            !is_over && progress.phase() == Phase::Request && progress.framing() != Framing::Open;
        if intake.holds() {
            return if is_over {
                Poll::Pending
            } else {
                Poll::Ready(Ok(intake.give(buffer, progress, rules)))
            };
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let has_closed = buffer.filled().len() == before;
        let kept = intake.keep_rest(buffer, before, progress, rules);
        if is_over && !has_closed {
            Poll::Pending
        } else {
            Poll::Ready(Ok(kept))
        }
    }

    /// Ends a request whose bytes are at fault: one answer, one line in the log, and no more reading.
    fn poll_refuse(&mut self, context: &mut Context<'_>, fault: early::Fault) -> Poll<io::Error> {
        if self.progress.phase() == Phase::Head {
            self.answer = Some(early::answer(&self.connection, fault));
            return self.poll_last_word(context);
        }
        self.progress.spoil(fault);
        Poll::Ready(io::Error::new(io::ErrorKind::InvalidData, fault.what))
    }

    /// Ends a client that takes nothing of what is written to it.
    fn poll_write_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.progress.framing() == Framing::Open {
            // Others watch over it.
            return Poll::Pending;
        }
        let patience = self.connection.rules.write;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        let what = "the client does not read what it asked for";
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, what))
    }

    /// What became of a write, or its end when the client takes nothing for too long.
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let error = ready!(self.poll_write_deadline(context));
        Poll::Ready(Err(error))
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.answer.is_some() {
            return self.poll_last_word(context).map(Err);
        }
        let before = buffer.filled().len();
        match self.poll_intake(context, buffer) {
            Poll::Ready(result) => {
                if let Err(fault) = result? {
                    return self.poll_refuse(context, fault).map(Err);
                }
                if self.waits_for_body {
                    self.pace.came(buffer.filled().len() - before);
                } else {
                    self.pace = Pace::default();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                if self.waits_for_body {
                    self.pace.waits();
                }
                let poll = match ready!(self.poll_deadline(context)) {
                    Late::Head => self.poll_refuse(context, early::HEAD_TOO_SLOW),
                    Late::Body => self.poll_refuse(context, early::BODY_TOO_SLOW),
                    Late::Request => Poll::Ready(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the request took longer than its route allows",
                    )),
                };
                poll.map(Err)
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
        if let Some((own, more)) = self.progress.supplement().take_for(bytes) {
            self.inner.keep([own, &more, b"\r\n"]);
            return Poll::Ready(Ok(bytes.len()));
        }
        let poll = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(context, poll)
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
        let poll = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.written(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(context);
        self.written(context, poll)
    }

    /// What the buffer holds is flushed first.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            let poll = Pin::new(&mut self.inner).poll_shutdown(context);
            ready!(self.written(context, poll))?;
            self.linger = self.may_be_sending().then(Linger::begin);
        }
        let this = &mut *self;
        match &mut this.linger {
            Some(linger) => linger.poll(&mut this.inner, context).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

#[async_trait]
impl Shutdown for Guard {
    async fn shutdown(&mut self) {
        // A client that is gone or reads nothing takes nothing more.
        let _ = AsyncWriteExt::shutdown(self).await;
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
