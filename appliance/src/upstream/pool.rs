//! Connections to servers as one thread has them: which are in use, which wait for another request, which are to end.
//!
//! The engine keeps them, by server and settings; this is the book beside its pool, and every thread has its own, as it
//! has its own pool. A connection that is not to be kept is shut down once no request uses it: the engine notices
//! that before it lends one over HTTP/1. One over HTTP/2 it lends to many, without a look; those of a server are
//! therefore told apart by their vintage ([`key`]), and no request asks for an older one.

pub(super) mod home;
mod opener;
mod opening;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    os::fd::RawFd,
    sync::Arc,
};

use floodwall_config as config;
use floodwall_limiter::{Nanos, clock::Clock};
use nix::sys::socket::{Shutdown, shutdown};

use super::{Server, State, Upstream};
use crate::{
    clock::Monotonic,
    generation::Generation,
    stats::{Count, Gauge},
};

pub(super) use opener::Opener;
pub use opening::{Opening, turn};

/// What an upstream has of connections, over all threads.
#[derive(Debug, Default)]
pub struct Connections {
    pub opened: Count,
    /// Requests that went over one that was there already.
    pub reused: Count,
    pub open: Gauge,
    /// Open ones that no request uses.
    pub idle: Gauge,
}

/// A request's use of a connection, until this is dropped.
#[derive(Debug)]
pub struct Seat {
    connection: Id,
    rules: config::Pool,
}

/// Which server a connection leads to, by which upstream's settings: equal for two servers only if one may have the
/// other's connections.
pub(super) type Home = u64;

/// A descriptor, and what tells its connection apart from a later one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Id {
    fd: RawFd,
    number: u64,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    state: Arc<State>,
    opened: Nanos,
    /// None before its first request.
    home: Option<Home>,
    requests: u64,
    users: u32,
    is_idle: bool,
    /// Ends as soon as nobody uses it.
    is_over: bool,
    /// The engine lends it to many at one time.
    is_shared: bool,
}

#[derive(Debug, Default)]
struct Book {
    connections: HashMap<RawFd, Connection>,
    vintages: HashMap<Home, u64>,
    next_number: u64,
}

thread_local! {
    static BOOK: RefCell<Book> = RefCell::default();
}

/// Takes note of the request that is to use a connection now. One to a server that is none any more is its last.
pub fn take(
    fd: RawFd,
    reused: bool,
    upstream: &Upstream,
    server: &Server,
    present: &Generation,
) -> Option<Seat> {
    if reused {
        upstream.state.connections.reused.one();
    }
    let has_left = !reused && !serves(present, upstream, server.home);
    let rules = upstream.config.pool;
    BOOK.with_borrow_mut(|book| {
        let connection = book.connections.get_mut(&fd)?;
        connection.home = Some(server.home);
        connection.is_shared = upstream.http2;
        connection.is_over |= has_left;
        connection.requests += 1;
        connection.users += 1;
        connection.rest(false);
        let number = connection.number;
        if connection.is_shared && !connection.is_over && connection.is_spent(rules) {
            book.retire(server.home);
        }
        Some(Seat {
            connection: Id { fd, number },
            rules,
        })
    })
}

/// What the engine is to tell connections to a server apart by, so that it lends none that is over to several requests.
pub(super) fn key(home: Home) -> u64 {
    let vintage = BOOK.with_borrow(|book| book.vintages.get(&home).copied().unwrap_or_default());
    home::key(home, vintage)
}

/// Ends this thread's connections to servers that a generation has no more, or that are unhealthy: idle ones at once,
/// the others with their last request.
pub fn forsake(present: &Generation) {
    let homes: HashSet<Home> = homes(present).collect();
    BOOK.with_borrow_mut(|book| {
        let gone: HashSet<Home> = (book.connections.values())
            .filter_map(|connection| connection.home)
            .filter(|home| !homes.contains(home))
            .collect();
        for home in gone {
            book.retire(home);
        }
        let connections = &book.connections;
        book.vintages.retain(|home, _| {
            homes.contains(home) || connections.values().any(|one| one.home == Some(*home))
        });
    });
}

fn homes(present: &Generation) -> impl Iterator<Item = Home> {
    present.upstreams().iter().flat_map(homes_of)
}

fn homes_of(upstream: &Upstream) -> Vec<Home> {
    let group = upstream.group();
    let well = (0..group.servers.len()).filter(|&server| !group.is_unhealthy(server));
    well.map(|server| group.servers[server].home).collect()
}

/// Whether a generation has the server, under the same settings: nobody but an upstream of this name would have it.
fn serves(present: &Generation, upstream: &Upstream, home: Home) -> bool {
    present
        .upstream_named(&upstream.name)
        .is_some_and(|index| homes_of(present.upstream(index)).contains(&home))
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Id { fd, number } = self.connection;
        // The book of a thread that ends may be gone before its last request.
        let _ = BOOK.try_with(|book| book.borrow_mut().release(fd, number, self.rules));
    }
}

impl Book {
    fn open(&mut self, fd: RawFd, state: &Arc<State>) -> u64 {
        state.connections.opened.one();
        state.connections.open.enter();
        self.next_number += 1;
        let connection = Connection {
            number: self.next_number,
            state: Arc::clone(state),
            opened: Monotonic.now(),
            home: None,
            requests: 0,
            users: 0,
            is_idle: false,
            is_over: false,
            is_shared: false,
        };
        self.connections.insert(fd, connection);
        self.next_number
    }

    /// The engine is about to close a connection.
    fn close(&mut self, fd: RawFd, number: u64) {
        if (self.connections.get(&fd)).is_some_and(|connection| connection.number == number)
            && let Some(mut connection) = self.connections.remove(&fd)
        {
            connection.rest(false);
            connection.state.connections.open.leave();
        }
    }

    /// A request is over, and the engine has its connection back or has closed it.
    fn release(&mut self, fd: RawFd, number: u64, rules: config::Pool) {
        let Some(connection) = self.connections.get_mut(&fd) else {
            return;
        };
        if connection.number != number {
            return;
        }
        connection.users = connection.users.saturating_sub(1);
        if connection.users > 0 {
            return;
        }
        let one_too_many = connection.state.connections.idle.get() >= rules.max_idle;
        if !connection.is_over && !one_too_many && !connection.is_spent(rules) {
            return connection.rest(true);
        }
        match connection.home.filter(|_| connection.is_shared) {
            Some(home) => self.retire(home),
            None => connection.end(fd),
        }
    }

    /// Lets no other request have the present connections to a server.
    fn retire(&mut self, home: Home) {
        *self.vintages.entry(home).or_default() += 1;
        for (&fd, connection) in &mut self.connections {
            if connection.home != Some(home) {
                continue;
            }
            connection.is_over = true;
            if connection.users == 0 {
                connection.end(fd);
            }
        }
    }
}

impl Connection {
    /// Whether it has served for long enough.
    fn is_spent(&self, rules: config::Pool) -> bool {
        let too_many = |most| self.requests >= most;
        let too_old = |most| Monotonic.now().minus(self.opened) >= most;
        rules.max_requests.is_some_and(too_many) || rules.max_age.is_some_and(too_old)
    }

    fn rest(&mut self, idle: bool) {
        let gauge = &self.state.connections.idle;
        match (self.is_idle, idle) {
            (false, true) => gauge.enter(),
            (true, false) => gauge.leave(),
            _ => {}
        }
        self.is_idle = idle;
    }

    /// Ends it; the engine finds out and closes it. The descriptor is open for as long as the connection is in the book.
    fn end(&mut self, fd: RawFd) {
        self.rest(false);
        // The server may have closed it before.
        let _ = shutdown(fd, Shutdown::Both);
    }
}
