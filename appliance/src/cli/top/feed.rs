//! The other end of the view: a thread that asks the service, so that no slow answer holds up a key.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use floodwall_limiter::Nanos;

use super::Sample;
use crate::{
    cli::{
        Failure, blocks,
        target::{ask_at, unexpected},
    },
    control::protocol::{Reply, Request},
};

/// What an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Block { source: String, duration: Nanos },
    Unblock { source: String },
}

/// What there is to know.
#[derive(Debug)]
pub(super) enum News {
    /// A look, or why there is none.
    Look(Result<Box<Sample>, String>),
    /// What became of a deed.
    Done(Result<String, String>),
}

/// The thread, from the outside. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Feed {
    deeds: Sender<Deed>,
    news: Receiver<News>,
    bell: UnixStream,
}

/// The second look comes soon, for without it there are no rates.
const SOON: Duration = Duration::from_secs(1);

impl Feed {
    /// Begins to look at the service behind a socket, once every so long.
    ///
    /// # Errors
    /// When the system has no descriptor or thread left.
    pub(super) fn start(socket: PathBuf, every: Duration) -> io::Result<Self> {
        let (deeds, wanted) = mpsc::channel();
        let (sender, news) = mpsc::channel();
        let (bell, rope) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        // A bell that nobody answers is rung all the same.
        rope.set_nonblocking(true)?;
        let source = Source {
            socket,
            every,
            news: sender,
            rope,
        };
        thread::Builder::new()
            .name("feed".into())
            .spawn(move || source.run(&wanted))?;
        Ok(Self { deeds, news, bell })
    }

    /// Becomes readable when there is news.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// All news so far.
    ///
    /// # Errors
    /// When the thread is gone.
    pub(super) fn news(&mut self) -> io::Result<Vec<News>> {
        let mut rings = [0; 64];
        while matches!(self.bell.read(&mut rings), Ok(1..)) {}
        let mut all = Vec::new();
        loop {
            match self.news.try_recv() {
                Ok(news) => all.push(news),
                Err(mpsc::TryRecvError::Empty) => return Ok(all),
                Err(mpsc::TryRecvError::Disconnected) => {
                    return Err(io::Error::other("the thread that asks the service is gone"));
                }
            }
        }
    }

    /// Has something done.
    pub(super) fn order(&self, deed: Deed) {
        // A thread that is gone is found out when its news are asked for.
        let _ = self.deeds.send(deed);
    }
}

/// The thread.
struct Source {
    socket: PathBuf,
    every: Duration,
    news: Sender<News>,
    rope: UnixStream,
}

impl Source {
    fn run(mut self, wanted: &Receiver<Deed>) {
        let mut pause = SOON.min(self.every);
        loop {
            match wanted.recv_timeout(pause) {
                Ok(deed) => {
                    let done = carry_out(&self.socket, deed).map_err(|failure| failure.to_string());
                    self.tell(News::Done(done));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let look = Sample::take(&self.socket).map_err(|failure| failure.to_string());
            self.tell(News::Look(look.map(Box::new)));
            pause = self.every;
        }
    }

    fn tell(&mut self, news: News) {
        // Whoever does not listen any more has ended the view.
        let _ = self.news.send(news);
        let _ = self.rope.write(&[1]);
    }
}

impl Sample {
    /// Looks at the service once.
    pub(super) fn take(socket: &Path) -> Result<Self, Failure> {
        let status = match ask_at(socket, &Request::Status)? {
            Reply::Status(status) => *status,
            other => return Err(unexpected(&other)),
        };
        let at = Instant::now();
        match ask_at(socket, &Request::Blocks)? {
            Reply::Blocks(blocks) => Ok(Self { at, status, blocks }),
            other => Err(unexpected(&other)),
        }
    }
}

fn carry_out(socket: &Path, deed: Deed) -> Result<String, Failure> {
    match deed {
        Deed::Block { source, duration } => {
            let request = blocks::adding(source, duration, false, "by hand".to_owned());
            match ask_at(socket, &request)? {
                Reply::BlockAdded(added) => Ok(blocks::added(&added)),
                other => Err(unexpected(&other)),
            }
        }
        Deed::Unblock { source } => {
            let request = Request::RemoveBlock {
                source: source.clone(),
            };
            match ask_at(socket, &request)? {
                Reply::BlocksRemoved { count } => blocks::removed(&source, count),
                other => Err(unexpected(&other)),
            }
        }
    }
}
