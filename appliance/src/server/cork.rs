//! What is written waits for a segment's worth or for a flush, so that a response's head and its body leave together.
//!
//! Tokio's `BufWriter` does this with a buffer that stays, and writes what waits apart from what comes when that is
//! large. Here a connection that says nothing has no buffer, and both leave with one system call.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose writes are held back until it is flushed, as long as they are small.
#[derive(Debug)]
pub struct Cork<S> {
    inner: S,
    /// Without memory while nothing waits.
    held: Vec<u8>,
    /// How much of it was written.
    written: usize,
}

/// So many bytes wait: one Ethernet segment.
const SEGMENT: usize = 1460;

impl<S> Cork<S> {
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            held: Vec::new(),
            written: 0,
        }
    }

    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes all of these bytes, however many there are: they wait for the next write or flush.
    pub fn keep<const PIECES: usize>(&mut self, pieces: [&[u8]; PIECES]) {
        for piece in pieces {
            self.hold(piece);
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.held.capacity() == 0 {
            self.held.reserve_exact(SEGMENT);
        }
        self.held.extend_from_slice(bytes);
    }

    /// So much of what waits was written. Tells how much more there was.
    fn wrote(&mut self, count: usize) -> usize {
        let waiting = self.held.len() - self.written;
        if count < waiting {
            self.written += count;
            return 0;
        }
        self.held = Vec::new();
        self.written = 0;
        count - waiting
    }
}

impl<S: AsyncWrite + Unpin> Cork<S> {
    fn poll_empty(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let waiting = &self.held[self.written..];
            match ready!(Pin::new(&mut self.inner).poll_write(context, waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.wrote(count),
            };
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what waits, and behind it what comes. Gives how much was taken of the latter.
    fn poll_through(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        while !self.held.is_empty() {
            if !self.inner.is_write_vectored() {
                ready!(self.poll_empty(context))?;
                break;
            }
            let count = {
                let waiting = IoSlice::new(&self.held[self.written..]);
                let both: SmallVec<[IoSlice<'_>; 8]> = std::iter::once(waiting)
                    .chain(slices.iter().copied())
                    .collect();
                ready!(Pin::new(&mut self.inner).poll_write_vectored(context, &both))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let taken = self.wrote(count);
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
        match slices {
            [one] => Pin::new(&mut self.inner).poll_write(context, one),
            many => Pin::new(&mut self.inner).poll_write_vectored(context, many),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cork<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cork<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if self.held.len() + length > SEGMENT {
            return self.poll_through(context, slices);
        }
        for slice in slices {
            self.hold(slice);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn small_writes_wait_for_the_flush_and_leave_no_buffer() {
        let (near, mut far) = duplex(4096);
        let mut cork = Cork::new(near);
        cork.write_all(b"head ").await.unwrap();
        cork.write_all(b"body").await.unwrap();
        assert_eq!(cork.held, b"head body");
        cork.flush().await.unwrap();
        assert_eq!(cork.held.capacity(), 0);
        let mut seen = [0; 9];
        far.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"head body");
    }

    /// A pipe that takes a few bytes at a time cuts writes at every place there is.
    #[tokio::test]
    async fn nothing_is_lost_or_said_twice_whatever_is_taken_at_once() {
        let body: Vec<u8> = (0..5000_u32).map(|at| at.to_le_bytes()[0]).collect();
        for takes in [1, 2, 3, 4, 5, 6, 7, 1459, 1460, 1461, 4096] {
            let (near, mut far) = duplex(takes);
            let mut cork = Cork::new(near);
            let written = async {
                cork.write_all(b"head").await.unwrap();
                cork.write_all(&body).await.unwrap();
                cork.write_all(b"tail").await.unwrap();
                cork.shutdown().await.unwrap();
            };
            let mut seen = Vec::new();
            let (read, ()) = tokio::join!(far.read_to_end(&mut seen), written);
            read.unwrap();
            assert_eq!(seen, [b"head", body.as_slice(), b"tail"].concat());
        }
    }

    /// Counts writes.
    #[derive(Default)]
    struct Calls(Vec<usize>);

    impl AsyncWrite for Calls {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let length = slices.iter().map(|slice| slice.len()).sum();
            self.0.push(length);
            Poll::Ready(Ok(length))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_head_and_a_large_body_are_one_write() {
        let mut cork = Cork::new(Calls::default());
        cork.write_all(&[0; 200]).await.unwrap();
        cork.write_all(&vec![0; 65_536]).await.unwrap();
        cork.write_all(&[0; 300]).await.unwrap();
        cork.flush().await.unwrap();
        cork.write_all(&[0; 9000]).await.unwrap();
        assert_eq!(cork.inner.0, [65_736, 300, 9000]);
    }
}
