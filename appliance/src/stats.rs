//! Counters that live as long as the process, kept by name so that a reload loses none.

mod latency;
mod outcomes;
mod route;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use floodwall_limiter::{Nanos, Source, set::Done, shape::hot_keys::HotKeys};

pub use self::{
    latency::{BOUNDS, Latency},
    outcomes::Outcomes,
    route::RouteStats,
};
use crate::{
    gate::Register,
    limit::live::Live,
    mirror::MirrorStats,
    server::{arrival::Failures, census::Census, http2::Offence, tls::Tickets},
    tokens, upstream,
};

/// All counters of the process. The hot path holds the `Arc`s; the maps are locked only to compile and to show.
#[derive(Debug, Default)]
pub struct Stats {
    pub requests: Requests,
    pub reloads: Reloads,
    /// Who was let in by the gates.
    pub gates: Arc<Register>,
    pub tokens: Arc<tokens::Shelf>,
    /// What lets clients resume their TLS sessions.
    pub tickets: Tickets,
    limits: Mutex<BTreeMap<String, Arc<LimitStats>>>,
    routes: Mutex<BTreeMap<String, Arc<RouteStats>>>,
    upstreams: Mutex<BTreeMap<String, Arc<upstream::State>>>,
    mirrors: Mutex<BTreeMap<String, Arc<MirrorStats>>>,
    doors: Mutex<Vec<(String, Arc<Census>)>>,
}

/// A number that only grows, shared by all threads.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    #[inline]
    pub fn one(&self) {
        self.add(1);
    }

    #[inline]
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Answers by the hundreds of their status: 1xx to 5xx; the first counts those without any.
#[derive(Debug, Default)]
pub struct Classes([Count; 6]);

impl Classes {
    pub const NAMES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

    /// Counts an answer; 0 is one without a status.
    #[inline]
    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100);
        self.0[if class < self.0.len() { class } else { 0 }].one();
    }

    /// Answers of one class: 2 is 2xx.
    pub fn of(&self, class: usize) -> u64 {
        self.0.get(class).map_or(0, Count::get)
    }
}

/// A number of things that are there now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    pub fn enter(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What came through the front door.
#[derive(Debug, Default)]
pub struct Requests {
    /// Those that are finished.
    pub outcomes: Outcomes,
    /// Requests refused as malformed, before any route was looked for.
    pub malformed: Count,
    /// Requests without a route.
    pub unrouted: Count,
    /// Connections accepted, and refused at accept because their source is blocked or has too many.
    pub connections: Count,
    pub connections_refused_blocked: Count,
    pub connections_refused_full: Count,
    /// Connections ended in the middle because their source was blocked.
    pub connections_cut: Count,
    /// Connections that ended before their first request could come.
    pub failures: Failures,
    pub connections_open: Gauge,
    /// Requests being served.
    pub in_flight: Gauge,
    /// Header fields that were left out because what a request put into them could not stand on the wire.
    pub fields_dropped: Count,
    pub offences: Offences,
}

/// HTTP/2 connections that were ended for what their clients did.
#[derive(Debug, Default)]
pub struct Offences([Count; Offence::ALL.len()]);

impl Offences {
    pub fn one(&self, offence: Offence) {
        self.0[offence as usize].one();
    }

    pub fn get(&self, offence: Offence) -> u64 {
        self.0[offence as usize].get()
    }
}

/// What became of reloads.
#[derive(Debug, Default)]
pub struct Reloads {
    pub taken: Count,
    pub refused: Count,
}

/// What one limit did, over all generations that had a limit of its name.
#[derive(Debug, Default)]
pub struct LimitStats {
    pub admitted: Count,
    pub refused: Count,
    /// Would have been refused, had the limit not been in shadow.
    pub shadowed: Count,
    /// Would have been refused, were its key among those that are.
    pub unenforced: Count,
    /// Sources this limit has put into the kernel's table.
    pub blocks: Count,
    /// Keys in debt that lost their cell to one of this limit's.
    pub takeovers: Count,
    /// The keys that it is asked for most.
    pub hot: HotKeys,
    /// Who is under way, and who waits.
    pub live: Live,
}

impl LimitStats {
    /// Takes note of whose cell a charge took, if it took anybody's.
    #[inline]
    pub fn took(&self, done: Done) {
        if done.displaced > Nanos::ZERO {
            self.takeovers.one();
        }
    }
}

impl Stats {
    /// The counters of the limit of this name, new or as they stand.
    pub fn limit(&self, name: &str) -> Arc<LimitStats> {
        Arc::clone(lock(&self.limits).entry(name.to_owned()).or_default())
    }

    /// The counters of the route of this name, new or as they stand.
    pub fn route(&self, name: &str) -> Arc<RouteStats> {
        Arc::clone(lock(&self.routes).entry(name.to_owned()).or_default())
    }

    /// The state of the upstream of this name, new or as it stands.
    pub fn upstream(&self, name: &str) -> Arc<upstream::State> {
        Arc::clone(lock(&self.upstreams).entry(name.to_owned()).or_default())
    }

    /// The counters of the mirror of the route of this name, new or as they stand.
    pub fn mirror(&self, route: &str) -> Arc<MirrorStats> {
        Arc::clone(lock(&self.mirrors).entry(route.to_owned()).or_default())
    }

    /// Takes note of the listeners' connection counts.
    pub fn set_doors(&self, doors: Vec<(String, Arc<Census>)>) {
        *lock(&self.doors) = doors;
    }

    /// Ends a client's connections at every listener, but for the one that is `spared`.
    pub fn cut(&self, client: Source, spared: Option<u64>) {
        let doors = lock(&self.doors);
        let cut = doors.iter().map(|(_, census)| census.cut(client, spared));
        self.requests.connections_cut.add(cut.sum());
    }

    /// Whether no listener has a connection, be it still in its handshake.
    pub fn is_empty(&self) -> bool {
        lock(&self.doors)
            .iter()
            .all(|(_, census)| census.open() == 0)
    }

    /// Open connections of each listener, by its name.
    pub fn open_connections(&self) -> Vec<(String, u64)> {
        lock(&self.doors)
            .iter()
            .map(|(name, census)| (name.clone(), census.open()))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only insertions happen under these locks; a panic elsewhere cannot leave them half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
