//! One direction of a tunnel.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Bytes on their way. Only what the other end does not take at once is kept.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    waiting: BytesMut,
    state: State,
    carried: u64,
    /// The writer may hold bytes back until it is flushed.
    unflushed: bool,
    stalled: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The reader has said everything; the writer is to be told.
    Ending,
    Ended,
}

/// Bytes read at one time. They lie on the stack, so that a quiet tunnel has no buffer at all.
const AT_ONCE: usize = 16 << 10;

impl Pipe {
    /// A direction in which bytes wait already.
    pub(super) fn with(waiting: BytesMut) -> Self {
        Self {
            carried: waiting.len() as u64,
            waiting,
            ..Self::default()
        }
    }

    pub(super) fn carried(&self) -> u64 {
        self.carried
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Since when the writer has taken nothing of what waits for it.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.stalled
    }

    /// Carries what can be carried now, and tells whether that was anything.
    ///
    /// # Errors
    /// When one of the ends fails.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<bool> {
        let mut moved = false;
        loop {
            if !self.waiting.is_empty() {
                let Poll::Ready(taken) = Pin::new(&mut *to).poll_write(context, &self.waiting)
                else {
                    self.stalled.get_or_insert_with(Instant::now);
                    return Ok(moved);
                };
                self.take(taken?)?;
                moved = true;
                continue;
            }
            let step = match self.state {
                State::Open => self.poll_read(context, from, to)?,
                State::Ending => {
                    let end = Pin::new(&mut *to).poll_shutdown(context)?;
                    end.map(|()| self.state = State::Ended)
                }
                State::Ended => Poll::Pending,
            };
            if step.is_pending() {
                self.poll_flush(context, to)?;
                return Ok(moved);
            }
            moved = true;
        }
    }

    fn take(&mut self, taken: usize) -> io::Result<()> {
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.stalled = None;
        self.unflushed = true;
        self.waiting.advance(taken);
        if self.waiting.is_empty() {
            self.waiting = BytesMut::new();
        }
        Ok(())
    }

    /// Reads, and writes at once as much as is taken.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Poll<()>> {
        let mut space = [MaybeUninit::uninit(); AT_ONCE];
        let mut buffer = ReadBuf::uninit(&mut space);
        if Pin::new(from).poll_read(context, &mut buffer)?.is_pending() {
            return Ok(Poll::Pending);
        }
        let read = buffer.filled();
        if read.is_empty() {
            self.state = State::Ending;
            return Ok(Poll::Ready(()));
        }
        self.carried += read.len() as u64;
        self.unflushed = true;
        match Pin::new(to).poll_write(context, read)? {
            Poll::Ready(taken) => self.waiting.extend_from_slice(&read[taken..]),
            Poll::Pending => self.waiting.extend_from_slice(read),
        }
        Ok(Poll::Ready(()))
    }

    fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        if self.unflushed && self.state != State::Ended {
            match Pin::new(to).poll_flush(context)? {
                Poll::Ready(()) => {
                    self.unflushed = false;
                    self.stalled = None;
                }
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                }
            }
        }
        Ok(())
    }
}
