//! The accept loop of one thread.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use floodwall_limiter::Source;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
};

use super::{
    Order, PULSE,
    arrival::{Newcomer, arrive},
    bind::{Listening, SocketFile},
    census::{Census, Most},
    connection::Rules,
    http1, http2,
    line::{Line, Socket},
    peer::Peer,
};
use crate::{
    blocks,
    generation::{Clients, Generation},
    host::Host,
    proxy::Proxy,
    upstream::pool,
};

/// One listener as every thread sees it.
#[derive(Debug)]
pub(super) struct Door {
    name: String,
    census: Arc<Census>,
    /// The rules of a generation, by its number: they change with a reload, the socket does not.
    rules: ArcSwap<(u64, Arc<Rules>)>,
}

/// A number for each connection of the process.
static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// Too many open files will not end by asking again at once.
const BREATHER: Duration = Duration::from_millis(20);

/// Upstream connections that a thread keeps for later, at most; upstreams have bounds of their own.
const POOL: usize = 4096;

pub(super) fn doors<'a>(
    generation: &Generation,
    names: impl Iterator<Item = &'a str>,
) -> Vec<Arc<Door>> {
    names
        .filter_map(|name| {
            generation
                .config
                .listeners
                .iter()
                .find(|listener| listener.name == name)
        })
        .map(|listener| {
            let most = Most {
                all: listener.max.connections,
                per_client: listener.max.connections_per_client,
            };
            Arc::new(Door {
                name: listener.name.clone(),
                census: Census::new(most),
                rules: ArcSwap::from_pointee((
                    generation.number,
                    Arc::new(Rules::new(listener, generation.tls(&listener.name))),
                )),
            })
        })
        .collect()
}

impl Door {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn census(&self) -> Arc<Census> {
        Arc::clone(&self.census)
    }

    /// What this listener grants by the present generation.
    fn rules(&self, host: &Host) -> Arc<Rules> {
        let generation = host.generation();
        let known = self.rules.load();
        if known.0 == generation.number {
            return Arc::clone(&known.1);
        }
        let Some(listener) = generation
            .config
            .listeners
            .iter()
            .find(|listener| listener.name == self.name)
        else {
            return Arc::clone(&known.1);
        };
        let rules = Arc::new(Rules::new(listener, generation.tls(&listener.name)));
        self.census.bound(Most {
            all: listener.max.connections,
            per_client: listener.max.connections_per_client,
        });
        self.rules
            .store(Arc::new((generation.number, Arc::clone(&rules))));
        rules
    }
}

/// Serves until the order is to stop.
pub(super) async fn work(
    host: Arc<Host>,
    listeners: Vec<(Listening, Arc<Door>)>,
    mut orders: watch::Receiver<Order>,
    pulse: Arc<AtomicU64>,
) {
    let conf = ServerConf {
        upstream_keepalive_pool_size: POOL,
        threads: 1,
        ..ServerConf::default()
    };
    let proxy = Arc::new(http_proxy(&Arc::new(conf), Proxy::new(Arc::clone(&host))));
    let (leaving, leave) = watch::channel(false);
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|(socket, door)| {
            let crew = Crew {
                host: Arc::clone(&host),
                proxy: Arc::clone(&proxy),
                door,
                leave: leave.clone(),
            };
            tokio::spawn(crew.accept(socket))
        })
        .collect();
    let mut beat = tokio::time::interval(PULSE);
    let mut departures = host.departures.subscribe();
    loop {
        tokio::select! {
            _ = beat.tick() => pulse.store(host.now().0, Relaxed),
            // The host has the sender, and outlives this.
            _ = departures.changed() => pool::forsake(&host.generation()),
            changed = orders.changed() => {
                let order = *orders.borrow_and_update();
                if changed.is_err() || order == Order::Stop {
                    return;
                }
                if order == Order::Drain {
                    for task in &accepting {
                        task.abort();
                    }
                    // Connections end with their present request; those without one end at once.
                    let _ = leaving.send(true);
                }
            }
        }
    }
}

/// Whoever stands at one door of one thread.
struct Crew {
    host: Arc<Host>,
    proxy: Arc<HttpProxy<Proxy>>,
    door: Arc<Door>,
    leave: watch::Receiver<bool>,
}

impl Crew {
    async fn accept(self, socket: Listening) {
        let listener = match Listener::over(socket) {
            Ok(listener) => listener,
            Err(error) => {
                return tracing::error!(listener = self.door.name, %error, "cannot poll the listener");
            }
        };
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => self.welcome(socket, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(listener = self.door.name, %error, "cannot accept");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }

    /// Turns a connection away or starts its task.
    fn welcome(&self, socket: Socket, peer: Peer) {
        let host = &self.host;
        let generation = host.generation();
        let requests = &host.stats.requests;
        requests.connections.one();
        if self.is_blocked(&generation.clients, peer) {
            return socket.reset();
        }
        let rules = self.door.rules(host);
        // Behind a load balancer all would be one client: who it is will be told (`arrival.rs`).
        let client = peer
            .address()
            .filter(|_| !rules.proxy_protocol)
            .map(|address| Source::of(address, generation.clients.prefixes));
        let id = NEXT_CONNECTION.fetch_add(1, Relaxed);
        let Some(seat) = self
            .door
            .census
            .enter(client, id, socket.as_fd().as_raw_fd())
        else {
            requests.connections_refused_full.one();
            return socket.reset();
        };
        let line = Line::new(socket, seat);
        // A block that began since the first look has cut only who was in the census by then.
        if self.is_blocked(&generation.clients, peer) {
            return line.reset();
        }
        let newcomer = Newcomer {
            host: Arc::clone(host),
            id,
            peer,
            rules,
        };
        tokio::spawn(attend(
            line,
            newcomer,
            Arc::clone(&self.proxy),
            self.leave.clone(),
        ));
    }

    /// Whether a peer may not come in, which is counted.
    fn is_blocked(&self, clients: &Clients, peer: Peer) -> bool {
        let host = &self.host;
        let Some(address) = peer.address() else {
            return false;
        };
        let blocked = blocks::is_blocked(host, clients, address, host.now());
        if blocked {
            host.stats.requests.connections_refused_blocked.one();
            blocks::count_turned_away(host, clients, address);
        }
        blocked
    }
}

/// Serves one connection from its first byte to its last.
async fn attend(
    line: Line,
    newcomer: Newcomer,
    proxy: Arc<HttpProxy<Proxy>>,
    leave: watch::Receiver<bool>,
) {
    let Some(guard) = arrive(line, newcomer).await.map(Box::new) else {
        return;
    };
    match http2::begins(&guard, leave.clone()).await {
        // In a box: its state is larger than what a connection of HTTP/1 keeps while it waits.
        Some(true) => Box::pin(http2::serve(*guard, proxy, leave)).await,
        Some(false) => http1::serve(guard, proxy, leave).await,
        None => {}
    }
}

/// A socket that the thread's runtime polls.
enum Listener {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// There for as long as somebody accepts.
        _file: Arc<SocketFile>,
    },
}

impl Listener {
    fn over(socket: Listening) -> io::Result<Self> {
        match socket {
            Listening::Tcp(socket) => TcpListener::from_std(socket).map(Self::Tcp),
            Listening::Unix(socket, file) => {
                let listener = UnixListener::from_std(socket)?;
                Ok(Self::Unix {
                    listener,
                    _file: file,
                })
            }
        }
    }

    async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), Peer::Direct(peer)))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), Peer::Local))
            }
        }
    }
}

/// Errors of `accept` that belong to the connection that was not accepted (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::guard::Guard;

    fn size_of_result<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// What a connection costs that waits: this and its guard, and what is known of its client.
    #[test]
    fn a_connection_that_waits_is_small() {
        let task = size_of_result(attend);
        assert!(task <= 1536, "the task has {task} bytes");
        let guard = size_of::<Guard>();
        assert!(guard <= 512, "the guard has {guard} bytes");
    }
}
