//! The servers of the moment: who they are, and which of them a request goes to.

use std::{
    cell::Cell,
    collections::HashSet,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use floodwall_config as config;
use floodwall_limiter::{Nanos, shape::breaker::Refused};

use super::{
    Breakers, Endpoint, Live, Outlier, State,
    attempt::Attempt,
    balance::{Balancer, View},
    breaker::Leave,
    pool::{self, Home},
};

/// The servers of an upstream, as long as no name means others. What is known of each outlives it.
#[derive(Debug)]
pub struct Group {
    pub servers: Vec<Server>,
    pub breakers: Option<Breakers>,
    pub outlier: Option<Outlier>,
    health: Option<config::Health>,
    slow_start: Option<Nanos>,
    balancer: Balancer,
    /// So few are well that all are asked.
    panicking: AtomicBool,
    /// Where to begin when the way to balance has found nobody.
    elsewhere: AtomicUsize,
}

/// One server.
#[derive(Debug)]
pub struct Server {
    pub endpoint: Endpoint,
    pub weight: NonZeroU32,
    /// Its place in the file.
    pub listed: usize,
    /// Where connections to it lead.
    pub(super) home: Home,
    pub live: Arc<Live>,
}

/// What a request wants of the servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    /// By which they are chosen, where they are.
    pub(super) key: u64,
    /// Not these, while there are others.
    pub(super) tried: &'a [Endpoint],
    pub(super) now: Nanos,
}

/// Why a server is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    Unhealthy,
    Outlier,
    BreakerOpen,
}

impl Absence {
    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unhealthy => "its checks fail",
            Self::Outlier => "it is left out because it does badly",
            Self::BreakerOpen => "its breaker is open",
        }
    }
}

impl Group {
    /// Brings the servers at these endpoints together, each with what is known of it. `settings` are those that
    /// connections to each server of the file depend on.
    pub(super) fn compile(
        upstream: &config::Upstream,
        settings: &[u64],
        endpoints: Vec<(Endpoint, usize)>,
        state: &State,
        now: Nanos,
    ) -> Self {
        let mut seen = HashSet::new();
        let servers: Vec<Server> = endpoints
            .into_iter()
            .filter(|(endpoint, _)| seen.insert(endpoint.clone()))
            .map(|(endpoint, listed)| Server {
                weight: upstream.servers[listed].weight,
                live: state.live(&endpoint, now),
                home: pool::home::of(settings[listed], &endpoint),
                endpoint,
                listed,
            })
            .collect();
        if upstream.health.is_none() {
            for server in &servers {
                server.live.vitals.forget();
            }
        }
        let group = Self {
            balancer: Balancer::new(&upstream.balance, &servers),
            breakers: (upstream.breaker.as_ref())
                .map(|breaker| Breakers::compile(breaker, &servers, state, now)),
            outlier: (upstream.outlier.as_ref())
                .map(|outlier| Outlier::compile(outlier, &servers, state)),
            health: upstream.health.clone(),
            slow_start: upstream.slow_start,
            servers,
            panicking: AtomicBool::new(false),
            elsewhere: AtomicUsize::new(0),
        };
        group.look();
        group
    }

    /// Looks whether enough of the servers are well.
    pub(super) fn look(&self) {
        let Some(health) = &self.health else { return };
        let all = self.servers.len() as u64;
        let well = self
            .servers
            .iter()
            .filter(|server| server.live.vitals.is_well());
        let needed = all * u64::from(health.panic.millionths());
        self.panicking
            .store(well.count() as u64 * 1_000_000 < needed, Relaxed);
    }

    /// Whether so few servers are well that all are asked.
    pub fn is_panicking(&self) -> bool {
        self.panicking.load(Relaxed)
    }

    /// Whether the key of a request matters.
    pub(super) fn goes_by_key(&self) -> bool {
        self.balancer.goes_by_key()
    }

    /// Chooses a server that was not tried, is not left out, and that `ask` lets be asked. When there is none, one
    /// that was tried; and when all are left out, one of those.
    pub(super) fn choose(
        self: &Arc<Self>,
        wish: Wish<'_>,
        ask: impl Fn(usize) -> Result<Option<Leave>, Refused>,
    ) -> Result<Attempt, Refused> {
        // The soonest time at which one that refused may be asked.
        let soonest = Cell::new(Nanos::MAX);
        let ask = |server: usize| match ask(server) {
            Ok(leave) => Some(Attempt::new(Arc::clone(self), server, leave)),
            Err(refused) => {
                soonest.set(soonest.get().min(refused.retry_after));
                None
            }
        };
        let look = Look { group: self, wish };
        let mut walk = self.balancer.walk(wish.key, &look);
        while let Some(server) = walk.next(&look) {
            if look.may_be_asked(server)
                && let Some(attempt) = ask(server)
            {
                return Ok(attempt);
            }
        }
        let is_out = |server: usize| self.out(server, wish.now).is_some();
        let was_tried = |server: usize| wish.tried.contains(&self.servers[server].endpoint);
        let mut rest = self
            .elsewhere()
            .filter(|&server| !is_out(server) && !was_tried(server));
        let mut again = self
            .elsewhere()
            .filter(|&server| !is_out(server) && was_tried(server));
        let mut out = self.elsewhere().filter(|&server| is_out(server));
        let found = rest.find_map(ask).or_else(|| again.find_map(ask));
        let nobody_refused = || soonest.get() == Nanos::MAX;
        found
            .or_else(|| nobody_refused().then(|| out.find_map(ask)).flatten())
            .ok_or_else(|| Refused {
                retry_after: soonest.get(),
            })
    }

    /// All servers, from a different one each time.
    fn elsewhere(&self) -> impl Iterator<Item = usize> + use<> {
        let all = self.servers.len();
        let from = self.elsewhere.fetch_add(1, Relaxed);
        (0..all).map(move |at| from.wrapping_add(at) % all)
    }

    /// Why a server is passed over at `now`; none when it is not.
    pub fn absence(&self, server: usize, now: Nanos) -> Option<Absence> {
        let breaker = || {
            let breakers = self.breakers.as_ref()?;
            let breaker = breakers.of_server(server)?;
            breaker
                .would(&breakers.rule, now)
                .err()
                .map(|_| Absence::BreakerOpen)
        };
        self.out(server, now).or_else(breaker)
    }

    /// The servers in the order in which a request with this key would ask them; none when chance or turns decide.
    pub fn preferred(&self, key: u64, now: Nanos) -> Option<Vec<usize>> {
        let look = Look {
            group: self,
            wish: Wish {
                key,
                tried: &[],
                now,
            },
        };
        let mut walk = self.goes_by_key().then(|| self.balancer.walk(key, &look))?;
        Some(std::iter::from_fn(|| walk.next(&look)).collect())
    }

    /// The part of its weight that a server has, in millionths.
    pub fn share(&self, server: usize, now: Nanos) -> u64 {
        self.servers[server].live.share(self.slow_start, now)
    }

    /// Whether somebody asks whether the servers are well.
    pub fn is_checked(&self) -> bool {
        self.health.is_some()
    }

    /// Whether a server is passed over because its checks fail.
    pub(super) fn is_unhealthy(&self, server: usize) -> bool {
        self.is_checked() && !self.is_panicking() && !self.servers[server].live.vitals.is_well()
    }

    fn out(&self, server: usize, now: Nanos) -> Option<Absence> {
        if self.is_unhealthy(server) {
            return Some(Absence::Unhealthy);
        }
        let is_outlier = self
            .outlier
            .as_ref()
            .is_some_and(|all| all.is_out(server, now));
        is_outlier.then_some(Absence::Outlier)
    }
}

/// The servers as one request sees them.
struct Look<'a> {
    group: &'a Group,
    wish: Wish<'a>,
}

impl View for Look<'_> {
    fn may_be_asked(&self, server: usize) -> bool {
        self.group.out(server, self.wish.now).is_none()
            && !self
                .wish
                .tried
                .contains(&self.group.servers[server].endpoint)
    }

    fn takes_its_turn(&self, server: usize) -> bool {
        self.group.servers[server]
            .live
            .takes_its_turn(self.group.slow_start, self.wish.now)
    }

    fn load(&self, server: usize) -> u64 {
        let server = &self.group.servers[server];
        server.live.in_flight.get() * 1_000 / u64::from(server.weight.get())
    }
}
