//! What the names of servers mean: looked up in the background, kept while nothing better is known.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use floodwall_config::{Address, Dns, Family};
use floodwall_limiter::Nanos;

use super::{Endpoint, Upstream};
use crate::generation::Generation;

/// The names of one upstream's servers, kept over reloads.
#[derive(Debug, Default)]
pub struct Names(Mutex<BTreeMap<Name, Found>>);

/// A name with the port that belongs to it.
pub type Name = (String, u16);

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The last good answer, in order; empty before the first.
    pub addresses: Vec<SocketAddr>,
    /// When that was given.
    pub answered: Option<Nanos>,
    /// Why the last look brought nothing; none when it did.
    pub error: Option<String>,
    next_look: Nanos,
    is_looked_up: bool,
}

impl Names {
    /// What a name was found to mean.
    pub fn get(&self, name: &Name) -> Option<Found> {
        self.lock().get(name).cloned()
    }

    /// Takes the look that is due at `now`, if one is. Whoever has it calls [`Names::answered`].
    pub(super) fn take_look(&self, name: &Name, now: Nanos) -> bool {
        let mut names = self.lock();
        let found = names.entry(name.clone()).or_default();
        let due = !found.is_looked_up && found.next_look <= now;
        found.is_looked_up |= due;
        due
    }

    /// Takes note of an answer, and tells the operator what is new.
    pub(super) fn answered(
        &self,
        name: &Name,
        answer: io::Result<Vec<SocketAddr>>,
        dns: &Dns,
        now: Nanos,
    ) {
        let mut names = self.lock();
        let found = names.entry(name.clone()).or_default();
        found.is_looked_up = false;
        found.next_look = now.plus(dns.refresh);
        let (host, port) = name;
        match answer {
            Ok(mut addresses) if !addresses.is_empty() => {
                addresses.sort_unstable();
                addresses.dedup();
                if found.addresses != addresses {
                    let words: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                    tracing::info!("{host}:{port} is {}", words.join(", "));
                }
                *found = Found {
                    addresses,
                    answered: Some(now),
                    error: None,
                    ..found.clone()
                };
            }
            nothing => {
                let error = nothing.map_or_else(
                    |error| error.to_string(),
                    |_| "it has no address".to_owned(),
                );
                // One that fails is looked up sooner again, but not all the time.
                found.next_look = now.plus(dns.refresh.min(SOON));
                if found.error.is_none() {
                    tracing::warn!(
                        "{host}:{port} is not found: {error}; {}",
                        match found.addresses.len() {
                            0 => "nothing is known of it",
                            _ => "its last addresses are kept",
                        }
                    );
                }
                found.error = Some(error);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Found>> {
        // Only whole values are stored under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that was not found is looked up again after this time, if it is not due sooner.
const SOON: Nanos = Nanos::from_secs(2);

/// Where the servers of an upstream listen, as far as is known, with their places in the file.
pub(super) fn endpoints(
    upstream: &floodwall_config::Upstream,
    names: &Names,
) -> Vec<(Endpoint, usize)> {
    let mut endpoints = Vec::new();
    for (listed, server) in upstream.servers.iter().enumerate() {
        match &server.address {
            Address::Ip(address) => endpoints.push((Endpoint::Ip(*address), listed)),
            Address::Unix(path) => endpoints.push((Endpoint::Unix(path.as_path().into()), listed)),
            Address::Name { host, port } => {
                let found = names.get(&(host.clone(), *port)).unwrap_or_default();
                let wanted =
                    found
                        .addresses
                        .into_iter()
                        .filter(|address| match upstream.dns.family {
                            Family::Any => true,
                            Family::V4 => address.is_ipv4(),
                            Family::V6 => address.is_ipv6(),
                        });
                endpoints.extend(wanted.map(|address| (Endpoint::Ip(address), listed)));
            }
        }
    }
    endpoints
}

/// Looks up a name as the host does, which may take a while.
pub(super) fn look_up((host, port): &Name) -> io::Result<Vec<SocketAddr>> {
    Ok((host.as_str(), *port).to_socket_addrs()?.collect())
}

/// Names are looked up so many at a time before anybody waits for them.
const AT_A_TIME: usize = 32;

/// Looks up what nobody has looked up yet, and waits for the answers until `within` is over. What comes later is left
/// to the background.
pub fn look_up_new(generation: &Generation, within: Duration, now: impl Fn() -> Nanos) {
    let mut new: Vec<(&Upstream, Name)> = Vec::new();
    for upstream in generation.upstreams() {
        for name in upstream.names() {
            if upstream.state.names.get(&name).is_none() {
                new.push((upstream, name));
            }
        }
    }
    let until = Instant::now() + within;
    for some in new.chunks(AT_A_TIME) {
        look_up_together(some, until, &now);
    }
    for upstream in generation.upstreams() {
        upstream.follow_names(now());
    }
}

fn look_up_together(names: &[(&Upstream, Name)], until: Instant, now: &impl Fn() -> Nanos) {
    let (answers, answered) = mpsc::channel();
    for (at, (_, name)) in names.iter().enumerate() {
        let (name, answers) = (name.clone(), answers.clone());
        // Without a thread the background looks it up. Nobody may wait any more when the answer comes.
        let _ = thread::Builder::new()
            .name("look-up".to_owned())
            .spawn(move || answers.send((at, look_up(&name))));
    }
    drop(answers);
    while let Ok((at, answer)) =
        answered.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        let (upstream, name) = &names[at];
        upstream
            .state
            .names
            .answered(name, answer, &upstream.config.dns, now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u8) -> Vec<SocketAddr> {
        (0..count)
            .rev()
            .map(|at| SocketAddr::from(([192, 0, 2, at], 80)))
            .collect()
    }

    #[test]
    fn the_last_good_answer_is_kept() {
        let (names, dns, name) = (Names::default(), Dns::default(), ("app".to_owned(), 80));
        let at = Nanos::from_secs;
        assert!(names.take_look(&name, at(1)) && !names.take_look(&name, at(1)));
        names.answered(&name, Ok(addresses(2)), &dns, at(1));
        let found = names.get(&name).unwrap();
        assert_eq!(
            (found.addresses.len(), found.addresses.is_sorted()),
            (2, true)
        );
        assert!(!names.take_look(&name, at(30)) && names.take_look(&name, at(31)));
        names.answered(
            &name,
            Err(io::Error::other("the server is out")),
            &dns,
            at(31),
        );
        let kept = names.get(&name).unwrap();
        assert_eq!(
            (kept.addresses, kept.answered),
            (found.addresses, Some(at(1)))
        );
        assert_eq!(kept.error.as_deref(), Some("the server is out"));
        assert!(!names.take_look(&name, at(32)) && names.take_look(&name, at(33)));
        names.answered(&name, Ok(vec![]), &dns, at(33));
        assert_eq!(names.get(&name).unwrap().addresses.len(), 2);
        names.answered(&name, Ok(addresses(1)), &dns, at(35));
        let fresh = names.get(&name).unwrap();
        assert_eq!((fresh.addresses.len(), fresh.error), (1, None));
    }
}
