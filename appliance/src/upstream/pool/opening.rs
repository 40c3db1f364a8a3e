//! Connections that many requests share are opened one after the other: the engine would open one for each request that
//! comes before the first of them is there, at the start, after a pause, and whenever one is retired.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use tokio::{sync::Notify, time::timeout};

use super::{Home, key};
use crate::upstream::{Server, Upstream};

/// A request that asks the engine for a connection to a server. One that is there it gets at once, before anybody else
/// runs; while a new one is being opened, others wait for that.
#[derive(Debug)]
pub struct Opening {
    key: Home,
    outcome: Arc<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    known: Notify,
    /// There is a connection.
    is_open: AtomicBool,
}

thread_local! {
    /// Those of this thread, by what the engine tells connections apart by.
    static UNDER_WAY: RefCell<HashMap<Home, Arc<Outcome>>> = RefCell::default();
}

/// Waits while somebody opens a connection that this request may share, and makes it the one whom the others wait for.
/// Where opening fails each goes its own way, so that nobody waits for more than one failure.
pub async fn turn(upstream: &Upstream, server: &Server) -> Option<Opening> {
    // A connection that tells for whom it is is shared by few.
    if !upstream.http2 || upstream.announces() {
        return None;
    }
    loop {
        let key = key(server.home);
        let under_way = UNDER_WAY.with_borrow(|all| all.get(&key).cloned());
        let Some(outcome) = under_way else {
            return Some(Opening::begin(key));
        };
        let waited = timeout(upstream.timeouts.connect, outcome.known.notified()).await;
        if waited.is_err() || !outcome.is_open.load(Relaxed) {
            return None;
        }
    }
}

impl Opening {
    fn begin(key: Home) -> Self {
        let outcome = Arc::<Outcome>::default();
        UNDER_WAY.with_borrow_mut(|all| all.insert(key, Arc::clone(&outcome)));
        Self { key, outcome }
    }

    /// The connection is there, and in the engine's pool.
    pub fn succeed(self) {
        self.outcome.is_open.store(true, Relaxed);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        // A thread that ends may be without its map before its last request.
        let _ = UNDER_WAY.try_with(|all| all.borrow_mut().remove(&self.key));
        self.outcome.known.notify_waiters();
    }
}
