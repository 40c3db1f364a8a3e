//! The servers behind the door, and whose turn it is.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use floodwall_config as config;

use crate::stats::UpstreamStats;

/// One upstream of a generation.
#[derive(Debug)]
pub struct Upstream {
    pub name: String,
    pub servers: Vec<config::Server>,
    pub timeouts: Timeouts,
    /// How many more servers are tried when one cannot be reached.
    pub attempts: u32,
    pub stats: Arc<UpstreamStats>,
    schedule: Vec<usize>,
    turn: AtomicUsize,
}

/// How long the servers may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub connect: Duration,
    pub read: Duration,
    pub write: Duration,
    pub idle: Duration,
}

impl Upstream {
    pub fn compile(upstream: &config::Upstream, stats: Arc<UpstreamStats>) -> Self {
        let timeouts = &upstream.timeouts;
        Self {
            name: upstream.name.clone(),
            schedule: schedule(&upstream.servers),
            servers: upstream.servers.clone(),
            timeouts: Timeouts {
                connect: timeouts.connect.into(),
                read: timeouts.read.into(),
                write: timeouts.write.into(),
                idle: timeouts.idle.into(),
            },
            attempts: upstream.retries.attempts,
            stats,
            turn: AtomicUsize::new(0),
        }
    }

    /// The next server in turn that is not among those `tried`; when all are, the next in turn.
    pub fn next(&self, tried: &[SocketAddr]) -> SocketAddr {
        let first = self.take_turn();
        let mut address = first;
        for _ in 0..self.schedule.len() {
            if !tried.contains(&address) {
                return address;
            }
            address = self.take_turn();
        }
        first
    }

    fn take_turn(&self) -> SocketAddr {
        let turn = self.turn.fetch_add(1, Relaxed) % self.schedule.len();
        self.servers[self.schedule[turn]].address
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
    use std::num::NonZeroU32;

    use super::*;

    fn upstream(weights: &[u32]) -> Upstream {
        let servers = weights
            .iter()
            .enumerate()
            .map(|(index, weight)| config::Server {
                address: SocketAddr::from(([127, 0, 0, 1], 9000 + u16::try_from(index).unwrap())),
                weight: NonZeroU32::new(*weight).unwrap(),
            })
            .collect();
        let second = floodwall_limiter::Nanos::SECOND;
        let upstream = config::Upstream {
            name: "app".to_owned(),
            servers,
            balance: config::Balance::RoundRobin,
            timeouts: config::UpstreamTimeouts {
                connect: second,
                read: second,
                write: second,
                idle: second,
            },
            retries: config::Retries { attempts: 1 },
        };
        Upstream::compile(&upstream, Arc::default())
    }

    fn ports(upstream: &Upstream, count: usize) -> Vec<u16> {
        (0..count).map(|_| upstream.next(&[]).port()).collect()
    }

    #[test]
    fn equal_servers_take_turns() {
        assert_eq!(ports(&upstream(&[1, 1]), 4), [9000, 9001, 9000, 9001]);
        assert_eq!(ports(&upstream(&[7, 7, 7]), 4), [9000, 9001, 9002, 9000]);
    }

    #[test]
    fn weights_are_spread_over_the_round() {
        assert_eq!(
            ports(&upstream(&[1, 2]), 6),
            [9001, 9000, 9001, 9001, 9000, 9001]
        );
        let taken = ports(&upstream(&[5, 1, 1]), 7);
        assert_eq!(taken.iter().filter(|port| **port == 9000).count(), 5);
        assert_ne!(taken[..5], [9000; 5], "not all at once");
    }

    #[test]
    fn a_retry_goes_elsewhere_while_there_is_an_elsewhere() {
        let upstream = upstream(&[1, 3]);
        let dead = SocketAddr::from(([127, 0, 0, 1], 9001));
        for _ in 0..10 {
            assert_eq!(upstream.next(&[dead]).port(), 9000);
        }
        let other = SocketAddr::from(([127, 0, 0, 1], 9000));
        assert!([9000, 9001].contains(&upstream.next(&[dead, other]).port()));
    }
}
