//! Listeners and the threads that serve them.
//!
//! The accept loop is Floodwall's own, around Pingora's proxy: it binds before anything is promised, turns
//! blocked sources away before a byte is read, counts connections, and ends when it is told to. Each thread
//! has a runtime, a proxy and a pool of upstream connections of its own, so that a request stays on one core.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::host::Host;

mod accept;
pub mod arrival;
mod bind;
pub mod body;
pub mod census;
pub mod connection;
pub mod cork;
mod extension;
pub mod guard;
pub mod head;
mod http1;
pub mod http2;
mod intake;
pub mod line;
mod linger;
pub mod pace;
pub mod peer;
pub mod progress;
mod proxy_protocol;
pub mod supplement;
pub mod tls;
pub mod wire;

pub use self::bind::{BACKLOG, BindError, Bound, bind, hint};

/// Threads that serve.
#[derive(Debug)]
pub struct Running {
    host: Arc<Host>,
    order: watch::Sender<Order>,
    workers: Vec<Worker>,
}

/// What the threads are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Serve,
    /// Accept nobody any more; finish what is under way.
    Drain,
    /// End.
    Stop,
}

#[derive(Debug)]
struct Worker {
    thread: JoinHandle<()>,
    /// Grows while the thread's runtime turns.
    pulse: Arc<AtomicU64>,
}

/// A runtime that did not turn for this long does not serve any more.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// How long a client may take for its first request when everybody is to leave.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// So long a drain waits for connections that have no request under way: longer than for a first request.
const FAREWELLS: Duration = Duration::from_millis(1500);

/// So long it may take until every thread has stopped accepting, and until whoever was accepted last is counted.
const ARRIVALS: Duration = Duration::from_millis(200);

/// How often a runtime shows that it turns.
const PULSE: Duration = Duration::from_millis(500);

/// Serves every listener on threads of their own.
///
/// # Errors
/// When a thread or its runtime cannot be made.
pub fn serve(host: &Arc<Host>, bound: &Bound) -> io::Result<Running> {
    let (order, orders) = watch::channel(Order::Serve);
    let doors = accept::doors(
        &host.generation(),
        bound.doors.iter().map(|door| door.name.as_str()),
    );
    host.stats.set_doors(
        doors
            .iter()
            .map(|door| (door.name().to_owned(), door.census()))
            .collect(),
    );
    let workers = (0..bound.threads)
        .map(|index| {
            let listeners: Vec<_> = bound
                .doors
                .iter()
                .zip(&doors)
                .map(|(bound, door)| Ok((bound.socket.try_clone()?, Arc::clone(door))))
                .collect::<io::Result<_>>()?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (host, orders) = (Arc::clone(host), orders.clone());
            let pulse = Arc::new(AtomicU64::new(host.now().0));
            let beating = Arc::clone(&pulse);
            let thread = thread::Builder::new()
                .name(format!("serve-{index}"))
                .spawn(move || runtime.block_on(accept::work(host, listeners, orders, beating)))?;
            Ok(Worker { thread, pulse })
        })
        .collect::<io::Result<_>>()?;
    Ok(Running {
        host: Arc::clone(host),
        order,
        workers,
    })
}

impl Running {
    /// Whether every thread still serves.
    pub fn alive(&self) -> bool {
        let now = self.host.now();
        self.workers.iter().all(|worker| {
            let last = floodwall_limiter::Nanos(worker.pulse.load(Relaxed));
            !worker.thread.is_finished() && now.minus(last) < STUCK_AFTER.into()
        })
    }

    /// Accepts nobody any more and waits until no request is under way, but no longer than `within`. Tells
    /// whether all were finished.
    pub fn drain(&self, within: Duration, mut hurry: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        self.host.leaving.store(true, Relaxed);
        // Nobody listens to the order only when every thread has ended.
        let _ = self.order.send(Order::Drain);
        loop {
            let requests = &self.host.stats.requests;
            // Whoever has nothing under way is told that this is the end, if that is soon done; whoever has just come may be
            // sending a request that nobody has seen.
            let nobody = self.host.stats.is_empty() && begun.elapsed() >= ARRIVALS;
            let told = nobody || begun.elapsed() >= FAREWELLS;
            if requests.in_flight.get() == 0 && told {
                return true;
            }
            if begun.elapsed() >= within || hurry() {
                return requests.in_flight.get() == 0;
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Ends the threads. What is still under way is cut.
    pub fn stop(self) {
        let _ = self.order.send(Order::Stop);
        for worker in self.workers {
            // A panic in a thread was reported by the panic hook already.
            let _ = worker.thread.join();
        }
        self.host.access_log.close();
    }
}
