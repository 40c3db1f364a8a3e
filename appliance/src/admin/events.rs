//! Server-sent events: the status once a second, looked at once for everybody who watches, and not at all when nobody
//! does.
//!
//! A reader is given the newest document when it has taken the last one, and none is kept for it in between: whoever
//! reads slowly sees fewer.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde::Serialize;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use crate::{
    blocks::{self, Listed},
    service::Service,
    status::Status,
};

/// Readers at one time.
const WATCHERS: usize = 16;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// A look takes no more than this part of the time, for one at ten thousand limits takes long;
const PART: u32 = 20;

/// but nobody waits for longer than this, unless it takes half of the time then.
const LONGEST: Duration = Duration::from_secs(3);

/// So many blocks are shown; `status.blocks` counts them all.
const BLOCKS: usize = 200;

/// The last event of a process that ends.
const FAREWELL: &[u8] = b"event: leaving\ndata: {}\n\n";

/// What a reader sees once a second.
#[derive(Debug, Serialize)]
struct Document {
    /// What `floodwall status --json` says.
    status: Status,
    /// The blocks that end last.
    blocks: Vec<Listed>,
}

/// One look for all readers.
#[derive(Debug)]
pub(super) struct Feed {
    service: Arc<Service>,
    latest: watch::Sender<Latest>,
    seats: Arc<Semaphore>,
    /// The first reader came.
    wanted: Notify,
}

#[derive(Clone, Debug)]
enum Latest {
    /// Nobody has looked lately.
    Nothing,
    Event(Bytes),
    /// The process is leaving.
    Over,
}

/// Why nobody can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Leaving,
}

impl Refused {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Full => "as many pages are open as may be; close one, or read /status\n",
            Self::Leaving => "this process is ending; its successor tells more\n",
        }
    }
}

impl Feed {
    pub(super) fn of(service: Arc<Service>) -> Arc<Self> {
        Arc::new(Self {
            service,
            latest: watch::Sender::new(Latest::Nothing),
            seats: Arc::new(Semaphore::new(WATCHERS)),
            wanted: Notify::new(),
        })
    }

    /// Takes a reader in.
    pub(super) fn watch(&self) -> Result<Events, Refused> {
        if self.is_leaving() {
            return Err(Refused::Leaving);
        }
        let seat = Arc::clone(&self.seats)
            .try_acquire_owned()
            .map_err(|_| Refused::Full)?;
        let mut latest = self.latest.subscribe();
        // What the others saw last is less than a second old.
        latest.mark_changed();
        self.wanted.notify_one();
        Ok(Events {
            next: Some(Box::pin(next(latest))),
            _seat: seat,
        })
    }

    /// Looks for the readers, for as long as the runtime lasts.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            self.wanted.notified().await;
            self.look_while_watched().await;
            self.latest.send_replace(Latest::Nothing);
        }
    }

    async fn look_while_watched(&self) {
        while self.latest.receiver_count() > 0 {
            let began = Instant::now();
            self.look().await;
            let took = began.elapsed();
            let period = (took * PART).clamp(PERIOD, LONGEST).max(took * 2);
            sleep_until(began + period).await;
        }
    }

    /// Looks once.
    async fn look(&self) {
        if self.is_leaving() {
            self.latest.send_replace(Latest::Over);
            return;
        }
        let service = Arc::clone(&self.service);
        // Counters of the kernel are read by system calls, and a reload may be in the way.
        match spawn_blocking(move || event(&service)).await {
            Ok(event) => drop(self.latest.send_replace(Latest::Event(event))),
            Err(error) => tracing::error!(%error, "the status cannot be looked at"),
        }
    }

    fn is_leaving(&self) -> bool {
        self.service.host.leaving.load(Relaxed)
    }
}

/// One look, as an event.
fn event(service: &Service) -> Bytes {
    let mut blocks = blocks::list(&service.host);
    blocks.truncate(BLOCKS);
    let document = Document {
        status: service.status(),
        blocks,
    };
    // JSON has no line ends of its own when it is not made pretty. A document of numbers and text always has a form.
    let json = serde_json::to_string(&document).unwrap_or_default();
    format!("retry: 1000\nevent: status\ndata: {json}\n\n").into()
}

/// The body of an answer that lasts: events as they come.
pub(super) struct Events {
    /// None after the last one.
    next: Option<Next>,
    _seat: OwnedSemaphorePermit,
}

type Next = Pin<Box<dyn Future<Output = Option<Coming>> + Send>>;

/// An event, and where those after it come from.
type Coming = (Bytes, Option<watch::Receiver<Latest>>);

/// The next event; none when there will not be any.
async fn next(mut latest: watch::Receiver<Latest>) -> Option<Coming> {
    loop {
        latest.changed().await.ok()?;
        let event = match &*latest.borrow_and_update() {
            Latest::Nothing => continue,
            Latest::Event(event) => event.clone(),
            Latest::Over => return Some((Bytes::from_static(FAREWELL), None)),
        };
        return Some((event, Some(latest)));
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(coming) = &mut self.next else {
            return Poll::Ready(None);
        };
        let coming = ready!(coming.as_mut().poll(context));
        let Some((event, latest)) = coming else {
            self.next = None;
            return Poll::Ready(None);
        };
        self.next = latest.map(|latest| -> Next { Box::pin(next(latest)) });
        Poll::Ready(Some(Ok(Frame::data(event))))
    }
}
