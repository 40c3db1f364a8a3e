//! The end of a connection whose client is still sending.

use std::{
    future::{Future, poll_fn},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::Sleep,
};

/// Takes what a client sends after the last word to it, and throws it away: a socket that is closed with unread bytes
/// is reset, and the reset may come before the client has read that word (RFC 9112, 9.6).
#[derive(Debug)]
pub(super) struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

/// So long, and for so many bytes, a client is listened to at the end.
const SPAN: Duration = Duration::from_secs(2);
const MOST: usize = 16 << 20;

/// Thrown away at one time.
const PIECE: usize = 8 << 10;

/// Closes a stream that was told its last word, once its client can have read it.
pub(super) async fn part<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    if stream.shutdown().await.is_ok() {
        let mut linger = Linger::begin();
        poll_fn(|context| linger.poll(&mut stream, context)).await;
    }
}

impl Linger {
    pub(super) fn begin() -> Self {
        Self {
            until: Box::pin(tokio::time::sleep(SPAN)),
            left: MOST,
        }
    }

    /// Whether the client was listened to for long enough.
    pub(super) fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        self.until.as_mut().poll(context).is_ready()
    }

    /// Comes back when the client has ended too, or was listened to for long enough.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut piece = [MaybeUninit::uninit(); PIECE];
        while self.left > 0 && !self.is_over(context) {
            let mut buffer = ReadBuf::uninit(&mut piece);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            self.left = self.left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}
