//! Listeners and the threads that serve them.
//!
//! The accept loop is Floodwall's own, around Pingora's proxy: it binds before anything is promised, turns
//! blocked sources away before a byte is read, counts connections, and ends when it is told to. Each thread
//! has a runtime, a proxy and a pool of upstream connections of its own, so that a request stays on one core.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use floodwall_config::{Config, ListenAddress};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use crate::{
    handover::{self, Estate, Inheritance},
    host::Host,
};

mod accept;
pub mod body;
pub mod census;
pub mod connection;
pub mod guard;
pub mod head;
pub mod http2;
mod intake;
pub mod line;
mod pace;
pub mod peer;
pub mod progress;
pub mod wire;

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("listeners.{listener}: cannot listen on {address}: {hint}")]
    Tcp {
        listener: String,
        address: SocketAddr,
        hint: String,
        source: io::Error,
    },
    #[error("listeners.{listener}: unix sockets are not built yet")]
    Unix { listener: String },
}

/// Every listener of a configuration, open and queueing connections that nobody accepts yet.
#[derive(Debug)]
pub struct Bound {
    doors: Vec<Door>,
    threads: usize,
}

#[derive(Debug)]
struct Door {
    name: String,
    socket: TcpListener,
}

/// Connections that the kernel keeps for a listener until they are accepted, at most.
const BACKLOG: i32 = 4096;

/// Opens every listener that a predecessor has not left open.
///
/// # Errors
/// The first [`BindError`]; nothing is left open then.
pub fn bind(config: &Config, inheritance: &mut Inheritance) -> Result<Bound, BindError> {
    let doors = config
        .listeners
        .iter()
        .map(|listener| match &listener.address {
            ListenAddress::Tcp(address) => inheritance
                .listener(&listener.name, *address)
                .map_or_else(|| listen(*address), Ok)
                .map(|socket| Door {
                    name: listener.name.clone(),
                    socket,
                })
                .map_err(|source| BindError::Tcp {
                    listener: listener.name.clone(),
                    address: *address,
                    hint: hint(&source, address.port()),
                    source,
                }),
            ListenAddress::Unix(_) => Err(BindError::Unix {
                listener: listener.name.clone(),
            }),
        })
        .collect::<Result<_, _>>()?;
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = config
        .server
        .threads
        .map_or_else(cores, |threads| usize::from(threads.get()));
    Ok(Bound { doors, threads })
}

impl Bound {
    /// Adds every listener to what a successor is to have.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn bequeath(&self, estate: &mut Estate) -> io::Result<()> {
        for door in &self.doors {
            let socket = door.socket.as_fd().try_clone_to_owned()?;
            estate.add(handover::of_listener(&door.name), socket);
        }
        Ok(())
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A listener may follow its predecessor at once; another process on the same port is still an error.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // As nginx does: [::] means IPv6, and 0.0.0.0 beside it means IPv4.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn hint(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there already".to_owned(),
        io::ErrorKind::PermissionDenied if port < 1024 => {
            format!("port {port} needs root or the capability CAP_NET_BIND_SERVICE")
        }
        io::ErrorKind::AddrNotAvailable => "this host has no such address".to_owned(),
        _ => error.to_string(),
    }
}

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

/// So long a drain waits for connections that have no request under way: longer than for a first request.
const FAREWELLS: Duration = Duration::from_millis(1500);

/// How often a runtime shows that it turns.
const PULSE: Duration = Duration::from_millis(500);

/// Serves every listener on threads of their own.
///
/// # Errors
/// When a thread or its runtime cannot be made.
pub fn serve(host: &Arc<Host>, bound: &Bound) -> io::Result<Running> {
    let (order, orders) = watch::channel(Order::Serve);
    let doors = accept::doors(
        &host.generation().config,
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
        // Nobody listens to the order only when every thread has ended.
        let _ = self.order.send(Order::Drain);
        loop {
            let requests = &self.host.stats.requests;
            // Whoever has nothing under way is told that this is the end, if that is soon done; whoever has just come may be
            // sending a request that nobody has seen.
            let told = requests.connections_open.get() == 0 || begun.elapsed() >= FAREWELLS;
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
