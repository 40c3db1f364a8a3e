//! Questions and answers over one connection.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};

use super::{
    Door,
    callers::{Caller, Seat},
    protocol::{MAX_REQUEST, Reply, Request, decode, encode},
};

/// How long a caller may take for one line, either way.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question that is longer needs one of a few places, so that callers cannot fill the memory together.
const LONG: usize = 1 << 20;

/// Questions that are longer, at one time.
const LONG_ONES: usize = 4;

/// What is read of somebody who may not ask: one who asks something reads the answer when all of it is written.
const STRANGE: usize = 64 << 10;

/// What all conversations share.
struct Desk<A> {
    answer: A,
    long_ones: Semaphore,
    /// The service is a successor's.
    left: Arc<AtomicBool>,
    path: Box<Path>,
}

/// Why there is no question to answer.
enum End {
    /// The caller has left, also in the middle of a line.
    Left,
    Slow,
    TooLong,
}

impl Door {
    /// Answers callers until [`Callers::close`](super::Callers::close).
    ///
    /// `answer` may block: it runs on a thread of its own.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub async fn serve(
        self,
        answer: impl Fn(Request, Option<u32>) -> Reply + Send + Sync + 'static,
    ) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let desk = Arc::new(Desk {
            answer,
            long_ones: Semaphore::new(LONG_ONES),
            left: Arc::clone(&self.left),
            path: self.path.as_path().into(),
        });
        let mut closing = std::pin::pin!(self.callers.closing().notified());
        closing.as_mut().enable();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut closing => return Ok(()),
            };
            match accepted {
                Ok((stream, _)) => self.receive(stream, &desk),
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    // Out of file descriptors, most likely: whoever holds them needs time to give them back.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn receive<A>(&self, stream: UnixStream, desk: &Arc<Desk<A>>)
    where
        A: Fn(Request, Option<u32>) -> Reply + Send + Sync + 'static,
    {
        // Whoever is gone already wants nothing.
        let Ok(caller) = Caller::of(&stream, &self.path) else {
            return;
        };
        match self.callers.take_in(caller) {
            Ok(seat) => {
                let desk = Arc::clone(desk);
                tokio::spawn(async move {
                    if let Err(error) = desk.converse(stream, caller, seat).await {
                        tracing::debug!(%error, "a caller on the control socket went away");
                    }
                });
            }
            Err(too_many) => {
                // It fits into a buffer that is empty, or the caller does without.
                let _ = stream.try_write(&failed(too_many.to_string()));
            }
        }
    }
}

impl<A> Desk<A>
where
    A: Fn(Request, Option<u32>) -> Reply + Send + Sync + 'static,
{
    /// Answers one caller line by line, until it leaves, stalls or says something that is no request.
    async fn converse(
        self: Arc<Self>,
        mut stream: UnixStream,
        caller: Caller,
        _seat: Seat,
    ) -> io::Result<()> {
        let (reader, mut writer) = stream.split();
        let mut reader = BufReader::new(reader);
        if !caller.may_ask {
            tracing::warn!(
                uid = caller.uid,
                pid = caller.pid,
                "somebody may not ask at the control socket"
            );
            let mut line = Vec::new();
            timeout(PATIENCE, read_until_end(&mut reader, &mut line, STRANGE)).await??;
            let refusal = failed(caller.refusal(&self.path));
            return timeout(PATIENCE, writer.write_all(&refusal)).await?;
        }
        loop {
            let (reply, goes_on) = match self.question(&mut reader).await? {
                Ok(line) => self.reply(&line, caller).await?,
                Err(End::Left) => return Ok(()),
                Err(End::Slow) => {
                    let seconds = PATIENCE.as_secs();
                    (
                        failed(format!("no whole question came within {seconds} s")),
                        false,
                    )
                }
                Err(End::TooLong) => {
                    let most = MAX_REQUEST >> 20;
                    (failed(format!("a question has {most} MiB at most")), false)
                }
            };
            timeout(PATIENCE, writer.write_all(&reply)).await??;
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Reads one whole line.
    async fn question(
        &self,
        reader: &mut (impl AsyncBufReadExt + Unpin),
    ) -> io::Result<Result<Vec<u8>, End>> {
        let mut line = Vec::new();
        let read = async {
            read_until_end(reader, &mut line, LONG).await?;
            if line.len() < LONG || line.ends_with(b"\n") {
                return Ok(());
            }
            // Never closed.
            let _place = self.long_ones.acquire().await;
            read_until_end(reader, &mut line, MAX_REQUEST).await
        };
        let Ok(read) = timeout(PATIENCE, read).await else {
            return Ok(Err(End::Slow));
        };
        read?;
        Ok(match line.last() {
            Some(b'\n') => Ok(line),
            _ if line.len() < MAX_REQUEST => Err(End::Left),
            _ => Err(End::TooLong),
        })
    }

    /// The answer to one line, and whether there may be another.
    async fn reply(self: &Arc<Self>, line: &[u8], caller: Caller) -> io::Result<(Vec<u8>, bool)> {
        let request = match decode::<Request>(line) {
            Ok(request) => request,
            Err(error) => return Ok((failed(error.to_string()), false)),
        };
        let left = || self.left.load(Relaxed);
        if request.changes() {
            // A change would be lost with this process.
            if left() {
                return Ok((encode(&Reply::HandedOver), false));
            }
            let Caller { uid, pid, .. } = caller;
            tracing::info!(?request, uid, pid, "an operator asks for a change");
        }
        let this = Arc::clone(self);
        // A panic in an answer is that caller's loss alone.
        let answer = move || (this.answer)(request, Some(caller.uid));
        let reply = tokio::task::spawn_blocking(answer).await;
        Ok((encode(&reply.map_err(io::Error::other)?), !left()))
    }
}

async fn read_until_end(
    reader: &mut (impl AsyncBufReadExt + Unpin),
    line: &mut Vec<u8>,
    most: usize,
) -> io::Result<()> {
    let room = (most - line.len()) as u64;
    reader.take(room).read_until(b'\n', line).await.map(drop)
}

fn failed(message: String) -> Vec<u8> {
    encode(&Reply::Failed { message })
}

#[cfg(test)]
mod tests;
