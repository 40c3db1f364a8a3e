//! Who is connected: how many in all and from each client, who may still come in, and who must leave.

use std::{
    collections::{BTreeMap, HashMap},
    os::fd::RawFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use floodwall_limiter::Source;
use nix::sys::socket::{Shutdown, shutdown};
/// The connections of one listener.
#[derive(Debug, Default)]
pub struct Census(Mutex<Counts>);

/// Bounds on connections at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Most {
    pub all: Option<u64>,
    pub per_client: Option<u64>,
}

#[derive(Debug, Default)]
struct Counts {
    most: Most,
    all: u64,
    by_client: HashMap<Source, BTreeMap<u64, Line>>,
}

/// A connection that is open.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Open for as long as the line is in the census: whoever holds the seat leaves before closing it.
    socket: RawFd,
    cut: bool,
}

/// A place that a connection holds until it ends.
#[derive(Debug)]
pub struct Seat {
    census: Arc<Census>,
    /// None as long as nobody knows, and for processes of this host.
    client: Option<Source>,
    connection: u64,
    socket: RawFd,
    left: bool,
}

impl Census {
    pub fn new(most: Most) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Counts {
            most,
            ..Counts::default()
        })))
    }

    /// Takes a place for a connection of this number, unless the listener or the client has too many already.
    /// Without a client it counts for the listener alone.
    pub fn enter(
        self: &Arc<Self>,
        client: Option<Source>,
        connection: u64,
        socket: RawFd,
    ) -> Option<Seat> {
        let mut counts = self.lock();
        if is_full(counts.most.all, counts.all) {
            return None;
        }
        if let Some(client) = client
            && !counts.add(client, connection, socket)
        {
            return None;
        }
        counts.all += 1;
        Some(Seat {
            census: Arc::clone(self),
            client,
            connection,
            socket,
            left: false,
        })
    }

    /// Sets other bounds. Connections over them stay; new ones wait until there is room.
    pub fn bound(&self, most: Most) {
        self.lock().most = most;
    }

    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.lock().all
    }

    /// Ends all connections of a client but `spared`, whatever they are doing, and tells how many. Each one's
    /// task sees its end and closes it.
    pub fn cut(&self, client: Source, spared: Option<u64>) -> u64 {
        let mut counts = self.lock();
        let lines = counts.by_client.get_mut(&client);
        let open = lines.into_iter().flatten().filter(|(_, line)| !line.cut);
        let mut cut = 0;
        for (_, line) in open.filter(|(connection, _)| Some(**connection) != spared) {
            line.cut = true;
            cut += 1;
            // Fails when the client has closed it already, which is as good.
            let _ = shutdown(line.socket, Shutdown::Both);
        }
        cut
    }

    fn leave(&self, client: Option<Source>, connection: u64) -> bool {
        let mut counts = self.lock();
        counts.all -= 1;
        let Some(client) = client else {
            return false;
        };
        let Some(lines) = counts.by_client.get_mut(&client) else {
            return false;
        };
        let line = lines.remove(&connection);
        if lines.is_empty() {
            counts.by_client.remove(&client);
        }
        line.is_some_and(|line| line.cut)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Adds a connection to those of a client, unless it has too many already.
    fn add(&mut self, client: Source, connection: u64, socket: RawFd) -> bool {
        // Counted even without a bound: a reload may bring one.
        let lines = self.by_client.entry(client).or_default();
        let room = !is_full(self.most.per_client, lines.len() as u64);
        if room {
            lines.insert(connection, Line { socket, cut: false });
        } else if lines.is_empty() {
            self.by_client.remove(&client);
        }
        room
    }
}

fn is_full(most: Option<u64>, taken: u64) -> bool {
    most.is_some_and(|most| taken >= most)
}

impl Seat {
    /// Counts the connection for this client, who was not known until now. Tells whether it may stay.
    pub fn belongs_to(&mut self, client: Source) -> bool {
        let known = self.client.is_some() || self.left;
        let room = !known && self.census.lock().add(client, self.connection, self.socket);
        if room {
            self.client = Some(client);
        }
        room
    }

    /// Gives the place up, and tells whether the connection was cut. Must come before its socket is closed.
    pub fn leave(&mut self) -> bool {
        if self.left {
            return false;
        }
        self.left = true;
        self.census.leave(self.client, self.connection)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, os::fd::AsRawFd};

    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    fn client(last: u8) -> Source {
        Source::from(Ipv4Addr::new(192, 0, 2, last))
    }

    /// Both ends of a connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap());
        let (near, far) = tokio::join!(near, listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    #[tokio::test]
    async fn seats_are_bounded_and_come_back() {
        let (stream, _peer) = pair().await;
        let census = Census::new(Most {
            all: Some(3),
            per_client: Some(2),
        });
        let first = census
            .enter(Some(client(1)), 1, stream.as_raw_fd())
            .unwrap();
        let _second = census
            .enter(Some(client(1)), 2, stream.as_raw_fd())
            .unwrap();
        assert!(
            census
                .enter(Some(client(1)), 3, stream.as_raw_fd())
                .is_none(),
            "two of one client"
        );
        let _third = census
            .enter(Some(client(2)), 4, stream.as_raw_fd())
            .unwrap();
        assert!(
            census
                .enter(Some(client(3)), 5, stream.as_raw_fd())
                .is_none(),
            "three in all"
        );
        drop(first);
        assert!(
            census
                .enter(Some(client(1)), 6, stream.as_raw_fd())
                .is_some()
        );
        assert_eq!(census.open(), 2);
    }

    #[tokio::test]
    async fn a_client_that_becomes_known_later_counts_from_then_on() {
        let (stream, _peer) = pair().await;
        let census = Census::new(Most {
            all: Some(2),
            per_client: Some(1),
        });
        let mut first = census.enter(None, 1, stream.as_raw_fd()).unwrap();
        let mut second = census.enter(None, 2, stream.as_raw_fd()).unwrap();
        assert!(census.enter(None, 3, stream.as_raw_fd()).is_none());
        assert!(first.belongs_to(client(1)));
        assert!(!second.belongs_to(client(1)), "one of each client");
        assert!(second.belongs_to(client(2)));
        assert_eq!(census.cut(client(2), None), 1);
        assert!(!first.leave() && second.leave());
        assert_eq!(census.open(), 0);
    }

    #[tokio::test]
    async fn a_client_is_cut_off_but_for_one_and_others_stay() {
        let census = Census::new(Most::default());
        let (cut, mut far) = pair().await;
        let (spared, _far_spared) = pair().await;
        let (other, _far_other) = pair().await;
        let mut seat = census.enter(Some(client(1)), 1, cut.as_raw_fd()).unwrap();
        let mut kept = census
            .enter(Some(client(1)), 2, spared.as_raw_fd())
            .unwrap();
        let mut stranger = census.enter(Some(client(2)), 3, other.as_raw_fd()).unwrap();
        assert_eq!(census.cut(client(1), Some(2)), 1);
        assert_eq!(census.cut(client(1), Some(2)), 0, "each once");
        assert_eq!(
            far.read(&mut [0; 1]).await.unwrap(),
            0,
            "the other end sees it"
        );
        assert!(seat.leave());
        assert!(!kept.leave() && !stranger.leave());
        assert_eq!(census.open(), 0);
    }
}
