//! How a server is chosen among those that may be asked.

use floodwall_config as config;

use super::group::Server;

mod key;
mod lots;
mod rendezvous;
mod turns;

pub use key::balance_key;

use lots::Lots;
use rendezvous::{Preference, Rendezvous};
use turns::Turns;

/// A way to choose, made for the servers of the moment, which it calls by their places.
#[derive(Debug)]
pub(super) enum Balancer {
    RoundRobin(Turns),
    LeastRequest(Lots),
    Random(Lots),
    Hash(Rendezvous),
}

/// What is to be known of a server while one is chosen.
pub(super) trait View {
    /// Whether it may be asked, as far as can be told without asking.
    fn may_be_asked(&self, server: usize) -> bool;
    /// Whether a turn of it counts: one that starts slowly lets some of them pass.
    fn takes_its_turn(&self, server: usize) -> bool;
    /// How busy it is, by its weight.
    fn load(&self, server: usize) -> u64;
}

/// Servers in the order in which they should be asked. It may end before all were named, and name one twice.
pub(super) enum Walk<'a> {
    Turns {
        turns: &'a Turns,
        left: usize,
    },
    Drawn {
        first: Option<usize>,
        then: Option<usize>,
    },
    Preferred(Preference<'a>),
}

/// So many are drawn to find one that may be asked. When half of the servers may not, that fails once in 65,536 times.
const DRAWS: usize = 16;

impl Balancer {
    pub(super) fn new(balance: &config::Balance, servers: &[Server]) -> Self {
        let weights = || servers.iter().map(|server| server.weight.get());
        match balance {
            config::Balance::RoundRobin => {
                Self::RoundRobin(Turns::new(&weights().collect::<Vec<_>>()))
            }
            config::Balance::LeastRequest => Self::LeastRequest(Lots::new(weights())),
            config::Balance::Random => Self::Random(Lots::new(weights())),
            config::Balance::Hash(_) => Self::Hash(Rendezvous::new(
                servers
                    .iter()
                    .map(|server| (server.endpoint.to_string(), server.weight.get())),
            )),
        }
    }

    /// The servers to ask for a request with this `key`, the best first.
    pub(super) fn walk(&self, key: u64, view: &impl View) -> Walk<'_> {
        match self {
            Self::RoundRobin(turns) => Walk::Turns {
                turns,
                left: turns.in_a_round(),
            },
            Self::Random(lots) => Walk::Drawn {
                first: lots.draw_fit(view, None),
                then: None,
            },
            Self::LeastRequest(lots) => {
                let one = lots.draw_fit(view, None);
                let other = one.and_then(|one| lots.draw_fit(view, Some(one)));
                match (one, other) {
                    (Some(one), Some(other)) if view.load(other) < view.load(one) => Walk::Drawn {
                        first: Some(other),
                        then: Some(one),
                    },
                    (first, then) => Walk::Drawn { first, then },
                }
            }
            Self::Hash(servers) => Walk::Preferred(servers.preference(key)),
        }
    }

    /// Whether the key of a request matters.
    pub(super) fn goes_by_key(&self) -> bool {
        matches!(self, Self::Hash(_))
    }
}

impl Walk<'_> {
    /// The next server to ask.
    pub(super) fn next(&mut self, view: &impl View) -> Option<usize> {
        match self {
            Self::Turns { turns, left } => turns.next(left, view),
            Self::Drawn { first, then } => first.take().or_else(|| then.take()),
            Self::Preferred(preference) => preference.next(),
        }
    }
}

impl Lots {
    /// Draws a server that may be asked, other than `besides`.
    fn draw_fit(&self, view: &impl View, besides: Option<usize>) -> Option<usize> {
        (0..DRAWS).find_map(|_| {
            self.draw().filter(|&server| {
                Some(server) != besides && view.may_be_asked(server) && view.takes_its_turn(server)
            })
        })
    }
}

#[cfg(test)]
mod tests;
