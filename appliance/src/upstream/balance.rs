//! Whose turn it is.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use floodwall_config as config;

/// Servers in turn, each as often as its weight says.
#[derive(Debug)]
pub(super) struct Turns {
    round: Vec<usize>,
    next: AtomicUsize,
}

impl Turns {
    pub(super) fn new(servers: &[config::Server]) -> Self {
        Self {
            round: schedule(servers),
            next: AtomicUsize::new(0),
        }
    }

    /// How many turns come before every server had one.
    pub(super) fn in_a_round(&self) -> usize {
        self.round.len()
    }

    /// The server whose turn it is, by its place in the file.
    pub(super) fn take(&self) -> usize {
        let turn = self.next.fetch_add(1, Relaxed) % self.round.len();
        self.round[turn]
    }
}

/// Spreads each server's turns evenly over one round: smooth weighted round robin, as nginx does it, played
/// through once.
fn schedule(servers: &[config::Server]) -> Vec<usize> {
    let shared = servers
        .iter()
        .map(|server| server.weight.get())
        .fold(0, gcd)
        .max(1);
    let weights: Vec<i64> = servers
        .iter()
        .map(|server| i64::from(server.weight.get() / shared))
        .collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let mut round = Vec::new();
    for _ in 0..total {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        // The first of the richest, so that equal servers take turns in the order of the file.
        let Some(richest) = (0..credit.len()).rev().max_by_key(|&index| credit[index]) else {
            break;
        };
        credit[richest] -= total;
        round.push(richest);
    }
    round
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, num::NonZeroU32};

    use super::*;

    fn turns(weights: &[u32], count: usize) -> Vec<usize> {
        let server = |weight: &u32| config::Server {
            address: SocketAddr::from(([127, 0, 0, 1], 9000)),
            weight: NonZeroU32::new(*weight).unwrap(),
        };
        let turns = Turns::new(&weights.iter().map(server).collect::<Vec<_>>());
        (0..count).map(|_| turns.take()).collect()
    }

    #[test]
    fn equal_servers_take_turns() {
        assert_eq!(turns(&[1, 1], 4), [0, 1, 0, 1]);
        assert_eq!(turns(&[7, 7, 7], 4), [0, 1, 2, 0]);
    }

    #[test]
    fn weights_are_spread_over_the_round() {
        assert_eq!(turns(&[1, 2], 6), [1, 0, 1, 1, 0, 1]);
        let taken = turns(&[5, 1, 1], 7);
        assert_eq!(taken.iter().filter(|server| **server == 0).count(), 5);
        assert_ne!(taken[..5], [0; 5], "not all at once");
    }
}
