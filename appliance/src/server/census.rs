//! How many connections there are, in all and from each client, and who may still come in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use floodwall_limiter::Source;

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
    by_client: HashMap<Source, u64>,
}

/// A place that a connection holds until it ends.
#[derive(Debug)]
pub struct Seat {
    census: Arc<Census>,
    client: Source,
}

impl Census {
    pub fn new(most: Most) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Counts {
            most,
            ..Counts::default()
        })))
    }

    /// Takes a place for a client, unless the listener or the client has too many already.
    pub fn enter(self: &Arc<Self>, client: Source) -> Option<Seat> {
        let mut counts = self.lock();
        let of_client = counts.by_client.get(&client).copied().unwrap_or(0);
        let full = |most: Option<u64>, taken: u64| most.is_some_and(|most| taken >= most);
        if full(counts.most.all, counts.all) || full(counts.most.per_client, of_client) {
            return None;
        }
        counts.all += 1;
        // Counted even without a bound: a reload may bring one.
        counts.by_client.insert(client, of_client + 1);
        Some(Seat {
            census: Arc::clone(self),
            client,
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

    fn leave(&self, client: Source) {
        let mut counts = self.lock();
        counts.all -= 1;
        if let Some(of_client) = counts.by_client.get_mut(&client) {
            *of_client -= 1;
            if *of_client == 0 {
                counts.by_client.remove(&client);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.census.leave(self.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Source {
        Source::from(std::net::Ipv4Addr::new(192, 0, 2, last))
    }

    #[test]
    fn seats_are_bounded_and_come_back() {
        let census = Census::new(Most {
            all: Some(3),
            per_client: Some(2),
        });
        let first = census.enter(client(1)).unwrap();
        let _second = census.enter(client(1)).unwrap();
        assert!(census.enter(client(1)).is_none(), "two of one client");
        let _third = census.enter(client(2)).unwrap();
        assert!(census.enter(client(3)).is_none(), "three in all");
        drop(first);
        assert!(census.enter(client(1)).is_some());
        assert_eq!(census.open(), 2);
    }
}
