//! The stream under an HTTP/2 connection: it counts the frames that pass, and stops reading once there were too many
//! of some kind, or once a head takes too long.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::Sleep,
};

use super::frames::{Frames, Offence};
use crate::server::guard::Guard;

/// A client's stream with a count of its frames.
#[derive(Debug)]
pub(super) struct Gate {
    guard: Guard,
    frames: Frames,
    alarm: Arc<Alarm>,
    /// The deadline of the head that is coming in, by its number.
    timer: Option<(u64, Pin<Box<Sleep>>)>,
}

/// Tells whoever serves a connection that its client has gone too far.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    offence: OnceLock<Offence>,
    raised: Notify,
}

impl Alarm {
    /// Comes back with what the client did, once it did.
    pub(super) async fn raised(&self) -> Offence {
        loop {
            if let Some(offence) = self.offence.get() {
                return *offence;
            }
            self.raised.notified().await;
        }
    }

    fn raise(&self, offence: Offence) {
        // The first one counts.
        let _ = self.offence.set(offence);
        self.raised.notify_one();
    }

    fn is_raised(&self) -> bool {
        self.offence.get().is_some()
    }
}

impl Gate {
    pub(super) fn new(guard: Guard) -> (Self, Arc<Alarm>) {
        let alarm = Arc::<Alarm>::default();
        let gate = Self {
            guard,
            frames: Frames::default(),
            alarm: Arc::clone(&alarm),
            timer: None,
        };
        (gate, alarm)
    }

    fn receive(&mut self, bytes: &[u8]) {
        let host = &self.guard.connection().host;
        if let Err(offence) = self.frames.receive(bytes, || host.now()) {
            self.alarm.raise(offence);
        }
    }

    fn send<'a>(&mut self, slices: impl Iterator<Item = &'a [u8]>, mut written: usize) {
        let host = &self.guard.connection().host;
        for slice in slices {
            let part = &slice[..slice.len().min(written)];
            written -= part.len();
            if let Err(offence) = self.frames.send(part, || host.now()) {
                self.alarm.raise(offence);
            }
        }
    }

    /// Polls the clock of the head that is coming in. It runs from the first read that had to wait for the rest.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(head) = self.frames.head() else {
            self.timer = None;
            return Poll::Pending;
        };
        let (_, sleep) = match &mut self.timer {
            Some(timer) if timer.0 == head => timer,
            timer => {
                let span = self.guard.connection().rules.header;
                timer.insert((head, Box::pin(tokio::time::sleep(span))))
            }
        };
        sleep.as_mut().poll(context)
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.alarm.is_raised() {
            // Nothing of this client is read any more. Whoever was told ends the connection.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.guard).poll_read(context, buffer) {
            result?;
            self.receive(&buffer.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_deadline(context));
        self.alarm.raise(Offence::SlowHead);
        Poll::Pending
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.guard).poll_write(context, bytes))?;
        self.send(std::iter::once(bytes), written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.guard).poll_write_vectored(context, slices))?;
        self.send(slices.iter().map(|slice| &**slice), written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.guard.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.guard).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.guard).poll_shutdown(context)
    }
}

#[async_trait]
impl Shutdown for Gate {
    async fn shutdown(&mut self) {
        Shutdown::shutdown(&mut self.guard).await;
    }
}

/// The preface was looked for before.
impl Peek for Gate {}

impl UniqueID for Gate {
    fn id(&self) -> UniqueIDType {
        self.guard.id()
    }
}

impl Ssl for Gate {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.guard.get_ssl_digest()
    }
}

impl GetTimingDigest for Gate {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.guard.get_timing_digest()
    }
}

impl GetProxyDigest for Gate {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.guard.get_proxy_digest()
    }
}

impl GetSocketDigest for Gate {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.guard.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.guard.set_socket_digest(digest);
    }
}
