//! Whose turn it is.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::View;

/// Servers in turn, each as often as its weight says.
#[derive(Debug)]
pub(in super::super) struct Turns {
    round: Vec<usize>,
    next: AtomicUsize,
}

impl Turns {
    pub(super) fn new(weights: &[u32]) -> Self {
        Self {
            round: schedule(weights),
            next: AtomicUsize::new(0),
        }
    }

    /// How many turns come before every server had one.
    pub(super) fn in_a_round(&self) -> usize {
        self.round.len()
    }

    /// The next of the turns that are `left` of a round.
    pub(super) fn next(&self, left: &mut usize, view: &impl View) -> Option<usize> {
        while *left > 0 {
            *left -= 1;
            let server = self.take();
            if view.takes_its_turn(server) {
                return Some(server);
            }
        }
        if !self.round.is_empty() {
            // A whole round was taken: without one more, the next would begin at the same server.
            self.take();
        }
        None
    }

    /// The server whose turn it is. There must be one.
    fn take(&self) -> usize {
        let turn = self.next.fetch_add(1, Relaxed) % self.round.len();
        self.round[turn]
    }
}

/// Spreads each server's turns evenly over one round: smooth weighted round robin, as nginx does it, played
/// through once.
fn schedule(weights: &[u32]) -> Vec<usize> {
    let shared = weights.iter().copied().fold(0, gcd).max(1);
    let weights: Vec<i64> = weights
        .iter()
        .map(|weight| i64::from(weight / shared))
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
    use super::*;

    fn turns(weights: &[u32], count: usize) -> Vec<usize> {
        let turns = Turns::new(weights);
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
