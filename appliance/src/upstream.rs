//! The servers behind the door: whose turn it is, who is asked, and what is learned from the answer.

mod announce;
mod attempt;
mod attendant;
mod balance;
mod breaker;
mod chance;
mod endpoint;
mod group;
mod health;
mod learned;
mod live;
pub mod names;
mod outlier;
mod peer;
mod places;
pub mod pool;
mod refusal;
mod retry;
mod state;
mod tls;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use floodwall_config as config;
use floodwall_limiter::{
    Nanos,
    shape::breaker::{Change, Refused},
};
use http::HeaderValue;

use crate::fetch;

pub use announce::Ends;
pub use attempt::{Attempt, Outcome};
pub use attendant::Attendant;
pub use balance::balance_key;
pub use breaker::Breakers;
pub use endpoint::Endpoint;
pub use group::{Absence, Group, Server};
pub use health::Vitals;
pub use learned::OpenBreaker;
pub use live::Live;
pub use outlier::Outlier;
pub use places::{Place, Places};
pub use refusal::Unavailable;
pub use retry::{Failure, Repeat};
pub use state::State;

use group::Wish;
use names::Name;
use pool::Opener;
use retry::Retries;
use state::Kept;
use tls::Tls;

/// One upstream of a generation.
#[derive(Debug)]
pub struct Upstream {
    pub name: String,
    pub config: config::Upstream,
    pub timeouts: Timeouts,
    pub places: Option<Places>,
    pub state: Arc<State>,
    pub http2: bool,
    /// Who the servers are; names may come to mean others.
    group: ArcSwap<Group>,
    /// TLS towards each server of the file, and whom its certificate must be for.
    tls: Vec<Option<(Tls, String)>>,
    /// What connections to each server of the file depend on.
    settings: Vec<u64>,
    opener: Arc<Opener>,
    retries: Retries,
}

/// How long the servers may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub connect: Duration,
    pub read: Duration,
    pub write: Duration,
    pub idle: Duration,
    /// Of a connection that changed its protocol, without a byte in either direction.
    pub tunnel: Duration,
    /// For the whole exchange, retries included.
    pub total: Option<Duration>,
}

/// A request that an upstream takes.
#[derive(Debug)]
pub struct Entry {
    /// None when there is no bound.
    pub place: Option<Place>,
    pub attempt: Attempt,
}

impl Upstream {
    /// Makes an upstream of a checked configuration.
    ///
    /// # Errors
    /// Everything that is wrong with the files that it names.
    pub fn compile(
        upstream: &config::Upstream,
        state: Arc<State>,
        now: Nanos,
    ) -> Result<Self, Vec<config::Problem>> {
        let timeouts = &upstream.timeouts;
        let tls = tls::of_servers(upstream)?;
        let settings = pool::home::settings(upstream, &tls);
        let endpoints = names::endpoints(upstream, &state.names);
        let group = Group::compile(upstream, &settings, endpoints, &state, now);
        Ok(Self {
            name: upstream.name.clone(),
            group: ArcSwap::from_pointee(group),
            timeouts: Timeouts {
                connect: timeouts.connect.into(),
                read: timeouts.read.into(),
                write: timeouts.write.into(),
                idle: timeouts.idle.into(),
                tunnel: timeouts.tunnel.into(),
                total: timeouts.total.map(Into::into),
            },
            places: upstream
                .max_in_flight
                .map(|max| Places::compile(max, &state, now)),
            retries: Retries::new(&upstream.retries),
            http2: upstream.http2,
            config: upstream.clone(),
            opener: Arc::new(Opener::new(&state, Vec::new())),
            state,
            tls,
            settings,
        })
    }

    /// The servers of the moment.
    pub fn group(&self) -> Arc<Group> {
        self.group.load_full()
    }

    /// The names of servers.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        let names = self
            .config
            .servers
            .iter()
            .filter_map(|server| server.address.name());
        names.map(|(host, port)| (host.to_owned(), port))
    }

    /// Makes the servers those that the names mean by now, and tells whether they are others.
    fn follow_names(&self, now: Nanos) -> bool {
        if self.names().next().is_none() {
            return false;
        }
        let group = Group::compile(
            &self.config,
            &self.settings,
            names::endpoints(&self.config, &self.state.names),
            &self.state,
            now,
        );
        let servers = |group: &Group| -> Vec<Endpoint> {
            group
                .servers
                .iter()
                .map(|server| server.endpoint.clone())
                .collect()
        };
        let others = servers(&group) != servers(&self.group.load());
        if others {
            self.group.store(Arc::new(group));
        }
        others
    }

    /// Makes what this generation goes by what the next one begins with.
    pub fn take_over(&self) {
        let group = self.group();
        let mut kept = Kept {
            adaptive: self.places.as_ref().and_then(Places::adaptive).cloned(),
            ..Kept::default()
        };
        if let Some(breakers) = &group.breakers
            && let Some(breaker) = breakers.of_upstream()
        {
            let breaker = (breakers.counted.clone(), Arc::clone(breaker));
            kept.breakers.insert(None, breaker);
        }
        for (index, server) in group.servers.iter().enumerate() {
            let endpoint = || server.endpoint.clone();
            kept.lives.insert(endpoint(), Arc::clone(&server.live));
            if let Some(breakers) = &group.breakers
                && let Some(breaker) = breakers.of_server(index)
            {
                let breaker = (breakers.counted.clone(), Arc::clone(breaker));
                kept.breakers.insert(Some(endpoint()), breaker);
            }
            if let Some(outlier) = &group.outlier {
                kept.outliers
                    .insert(endpoint(), Arc::clone(outlier.server(index)));
            }
        }
        self.state.keep(kept);
    }

    /// Whether nothing but its servers' turns decides.
    pub fn takes_everything(&self) -> bool {
        self.config.breaker.is_none()
            && self.config.outlier.is_none()
            && self.config.slow_start.is_none()
            && self.places.is_none()
            && !self.retries.has_budget()
    }

    /// Takes a request in, or says why not. Its `key` matters where [`Upstream::key`] has parts.
    ///
    /// # Errors
    /// [`Unavailable`] when there are as many requests as there may be, or no server may be asked.
    pub fn enter(&self, key: u64, now: Nanos) -> Result<Entry, Unavailable> {
        let group = self.group.load();
        if group.servers.is_empty() {
            self.state.counts.refused_unknown.one();
            return Err(Unavailable::Unknown);
        }
        let places = self.places.as_ref();
        let place = places.map(|places| places.take(&self.state)).transpose()?;
        let wish = Wish {
            key,
            tried: &[],
            now,
        };
        let attempt = begin(&group, wish).map_err(|refused| {
            self.state.counts.refused_open.one();
            Unavailable::Open {
                retry_after: refused.retry_after,
            }
        })?;
        if self.retries.has_budget() {
            self.state.budget.request(now);
        }
        Ok(Entry { place, attempt })
    }

    /// What [`Upstream::enter`] would say, changing nothing.
    ///
    /// # Errors
    /// As [`Upstream::enter`].
    pub fn would_enter(&self, now: Nanos) -> Result<(), Unavailable> {
        let group = self.group.load();
        if group.servers.is_empty() {
            return Err(Unavailable::Unknown);
        }
        if self
            .most_in_flight()
            .is_some_and(|most| self.state.in_flight.now() >= most)
        {
            return Err(Unavailable::Full);
        }
        let breakers = group.breakers.as_ref();
        match breakers.and_then(|breakers| breakers.closed_until(now)) {
            Some(retry_after) => Err(Unavailable::Open { retry_after }),
            None => Ok(()),
        }
    }

    /// The key that servers are chosen by; none when requests need not be looked at.
    pub fn key(&self) -> Option<&[config::KeyPart]> {
        match &self.config.balance {
            config::Balance::Hash(key) => Some(key),
            _ => None,
        }
    }

    /// Whether servers are told for whom a connection is.
    pub fn announces(&self) -> bool {
        self.config.proxy_protocol.is_some()
    }

    /// How a server is reached apart from the proxy.
    pub fn reach(&self, server: &Server) -> fetch::Server {
        let tls = self.tls[server.listed].as_ref();
        let version = self.config.proxy_protocol;
        fetch::Server {
            endpoint: server.endpoint.clone(),
            preface: version.map_or(Vec::new(), |version| announce::header(version, None)),
            tls: tls.and_then(|(tls, name)| tls.apart(name)),
        }
    }

    /// The `Host` of a request to a server that is nobody's but ours: its name, or else its address.
    pub fn host_of(&self, server: &Server) -> HeaderValue {
        let written = match (
            &self.tls[server.listed],
            &self.config.servers[server.listed].address,
        ) {
            (Some((_, name)), _) => name.clone(),
            (None, config::Address::Unix(_)) => "localhost".to_owned(),
            (None, address) => address.to_string(),
        };
        // Addresses and checked names are visible ASCII.
        HeaderValue::from_str(&written).unwrap_or(HeaderValue::from_static("localhost"))
    }

    /// The upstream that is asked while the breaker is open.
    pub fn fallback(&self) -> Option<&str> {
        match &self.config.breaker.as_ref()?.refusal {
            config::Refusal::Fallback(name) => Some(name),
            config::Refusal::Respond(_) => None,
        }
    }

    /// Another try for a request that failed, if there may be one; on a server that was not among those `tried`
    /// when there is another.
    pub fn try_again(
        &self,
        repeat: Repeat,
        key: u64,
        tried: &[Endpoint],
        now: Nanos,
    ) -> Option<Attempt> {
        if !self.retries.allow(repeat) {
            return None;
        }
        let attempt = begin(&self.group.load(), Wish { key, tried, now }).ok()?;
        if !self.retries.pay(repeat.failure, &self.state, now) {
            self.state.counts.retries_over_budget.one();
            return None;
        }
        self.state.counts.retries.one();
        Some(attempt)
    }

    /// Another try on another connection, because the server had closed the one that was kept for reuse. It says
    /// nothing about the server, and is no retry in the sense of the file.
    pub fn try_afresh(&self, key: u64, tried: &[Endpoint], now: Nanos) -> Option<Attempt> {
        begin(&self.group.load(), Wish { key, tried, now }).ok()
    }

    /// How many retries the budget has left; none without a budget.
    pub fn retries_left(&self, now: Nanos) -> Option<u64> {
        self.retries.left(&self.state, now)
    }

    /// How many requests it has now; none when nobody counts.
    pub fn in_flight(&self) -> Option<u64> {
        self.places.as_ref().map(|_| self.state.in_flight.now())
    }

    /// How many it may have now; none without a bound.
    pub fn most_in_flight(&self) -> Option<u64> {
        self.places.as_ref().map(Places::most)
    }

    /// What an answer takes without a queue, as far as an adaptive bound knows.
    pub fn unqueued(&self) -> Option<Nanos> {
        self.places.as_ref()?.adaptive()?.base()
    }

    fn learn(&self, attempt: &mut Attempt, outcome: Outcome, now: Nanos) {
        if let Outcome::Answered { status, took } = outcome {
            self.state.counts.answers.count(status);
            self.state.counts.response_time.note(took);
        }
        let (group, server) = (&attempt.group, attempt.server);
        if let (Some(breakers), Some(leave)) = (&group.breakers, &mut attempt.leave) {
            let change = breakers.answered(leave, outcome, now);
            self.note(change, &group.servers[server]);
        }
        if let Some(places) = &self.places {
            places.answered(outcome, now);
        }
        self.judge(group, server, outcome, now);
    }

    fn unlearn(&self, attempt: &Attempt, now: Nanos) {
        let (group, server) = (&attempt.group, attempt.server);
        if let (Some(breakers), Some(leave)) = (&group.breakers, &attempt.leave) {
            self.note(breakers.broke_off(leave, now), &group.servers[server]);
        }
        self.judge(group, server, Outcome::NoAnswer, now);
    }

    fn judge(&self, group: &Group, server: usize, outcome: Outcome, now: Nanos) {
        if let Some(outlier) = &group.outlier {
            let endpoint = |server: usize| group.servers[server].endpoint.clone();
            outlier.answered(&self.state.outliers, server, outcome, now, endpoint);
        }
    }

    /// Tells the operator that a breaker changed.
    fn note(&self, change: Option<Change>, server: &Server) {
        let Some(change) = change else { return };
        let whose = match self.config.breaker.as_ref().map(|breaker| breaker.scope) {
            Some(config::BreakerScope::Server) => {
                format!("server {} of upstream {}", server.endpoint, self.name)
            }
            _ => format!("upstream {}", self.name),
        };
        match change {
            Change::Opened(counts) => {
                self.state.counts.opened.one();
                tracing::warn!(
                    "the breaker of {whose} opened: {} of {} answers were bad",
                    counts.bad,
                    counts.all
                );
            }
            Change::Reopened => {
                self.state.counts.opened.one();
                tracing::warn!("the breaker of {whose} is open again: a probe failed");
            }
            Change::Closed => tracing::info!("the breaker of {whose} closed"),
        }
    }
}

/// Chooses a server and asks its breaker, or the upstream's.
fn begin(group: &Arc<Group>, wish: Wish<'_>) -> Result<Attempt, Refused> {
    let Some(breakers) = &group.breakers else {
        return group.choose(wish, |_| Ok(None));
    };
    let ask = |breaker| breakers.ask(breaker, wish.now);
    match breakers.of_upstream() {
        None => group.choose(wish, |server| {
            breakers.of_server(server).map(ask).transpose()
        }),
        Some(breaker) => {
            let leave = ask(breaker)?;
            let mut attempt = group.choose(wish, |_| Ok(None))?;
            attempt.leave = Some(leave);
            Ok(attempt)
        }
    }
}

#[cfg(test)]
mod tests;
