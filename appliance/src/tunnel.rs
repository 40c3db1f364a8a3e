//! Two connections joined into one: what an upgraded client and its upstream say to each other, byte by byte.
//!
//! Nothing is understood and nothing is kept: an idle tunnel holds no buffer.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use floodwall_config::Direction;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep},
};

mod pipe;

use pipe::Pipe;

/// How long a tunnel may do nothing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a byte in either direction.
    pub idle: Duration,
    /// Without either end taking anything of what waits for it.
    pub write: Duration,
    /// For one direction after the other has ended.
    pub rest: Duration,
}

/// Why a tunnel is no more.
#[derive(Debug)]
pub enum End {
    /// Both ends have said that there is nothing more.
    Closed,
    Idle,
    /// One end does not read.
    Stalled,
    /// One end went away in the middle.
    Broken(io::Error),
}

/// Bytes that were carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub from_client: u64,
    pub from_upstream: u64,
}

/// A tunnel that is open.
#[derive(Debug)]
pub struct Tunnel<C, U> {
    client: C,
    upstream: U,
    /// From the client to the upstream, and back.
    to_upstream: Pipe,
    to_client: Pipe,
    patience: Patience,
    active: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl<C, U> Tunnel<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Joins a client, of whom `said` was read already, and an upstream, of which `answered` was.
    pub fn new(
        (client, said): (C, BytesMut),
        (upstream, answered): (U, BytesMut),
        patience: Patience,
    ) -> Self {
        Self {
            client,
            upstream,
            to_upstream: Pipe::with(said),
            to_client: Pipe::with(answered),
            patience,
            active: Instant::now(),
            sleep: Box::pin(tokio::time::sleep(patience.idle)),
        }
    }

    /// Carries bytes until an end comes, and tells `count` of them as they pass.
    pub async fn carry(&mut self, mut count: impl FnMut(Direction, u64)) -> End {
        poll_fn(|context| self.poll(context, &mut count)).await
    }

    pub fn carried(&self) -> Carried {
        Carried {
            from_client: self.to_upstream.carried(),
            from_upstream: self.to_client.carried(),
        }
    }

    /// Gives the two ends back.
    pub fn into_ends(self) -> (C, U) {
        (self.client, self.upstream)
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        count: &mut impl FnMut(Direction, u64),
    ) -> Poll<End> {
        let before = self.carried();
        let (client, upstream) = (&mut self.client, &mut self.upstream);
        let up = self.to_upstream.poll(context, client, upstream);
        let down = self.to_client.poll(context, upstream, client);
        let now = self.carried();
        for (direction, before, now) in [
            (Direction::In, before.from_client, now.from_client),
            (Direction::Out, before.from_upstream, now.from_upstream),
        ] {
            if now > before {
                count(direction, now - before);
            }
        }
        match (up, down) {
            (Err(error), _) | (_, Err(error)) => return Poll::Ready(End::Broken(error)),
            (Ok(up), Ok(down)) if up || down => self.active = Instant::now(),
            _ => {}
        }
        if self.to_upstream.has_ended() && self.to_client.has_ended() {
            return Poll::Ready(End::Closed);
        }
        self.poll_patience(context)
    }

    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let (due, end) = self.due();
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
        // A timer that was set for a quieter moment is set anew when it rings.
        while self.sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(end);
            }
            self.sleep.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// When it ends if nothing happens before, and why.
    fn due(&self) -> (Instant, End) {
        let Patience { idle, write, rest } = self.patience;
        let half = self.to_upstream.has_ended() || self.to_client.has_ended();
        let quiet = if half { idle.min(rest) } else { idle };
        let idle = (self.active + quiet, End::Idle);
        let stalled = [&self.to_upstream, &self.to_client]
            .into_iter()
            .filter_map(Pipe::stalled_since)
            .map(|since| (since + write, End::Stalled));
        stalled
            .chain([idle])
            .min_by_key(|(due, _)| *due)
            .unwrap_or((self.active, End::Idle))
    }
}

#[cfg(test)]
mod tests;
