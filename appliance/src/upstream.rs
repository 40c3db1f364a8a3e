//! The servers behind the door: whose turn it is, who is asked, and what is learned from the answer.

mod attempt;
mod balance;
mod breaker;
mod outlier;
mod places;
mod refusal;
mod retry;
mod state;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use floodwall_config as config;
use floodwall_limiter::{
    Nanos,
    shape::breaker::{Change, Refused},
};

pub use attempt::{Attempt, Outcome};
pub use breaker::Breakers;
pub use outlier::Outlier;
pub use places::{Place, Places};
pub use refusal::Unavailable;
pub use retry::{Failure, Repeat};
pub use state::State;

use balance::Turns;
use breaker::Leave;
use retry::Retries;
use state::Kept;

/// One upstream of a generation.
#[derive(Debug)]
pub struct Upstream {
    pub name: String,
    pub servers: Vec<config::Server>,
    pub timeouts: Timeouts,
    pub breakers: Option<Breakers>,
    pub outlier: Option<Outlier>,
    pub places: Option<Places>,
    pub state: Arc<State>,
    pub http2: bool,
    retries: Retries,
    turns: Turns,
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
    pub fn compile(upstream: &config::Upstream, state: Arc<State>, now: Nanos) -> Self {
        let timeouts = &upstream.timeouts;
        let (breaker, outlier) = (upstream.breaker.as_ref(), upstream.outlier.as_ref());
        Self {
            name: upstream.name.clone(),
            turns: Turns::new(&upstream.servers),
            servers: upstream.servers.clone(),
            timeouts: Timeouts {
                connect: timeouts.connect.into(),
                read: timeouts.read.into(),
                write: timeouts.write.into(),
                idle: timeouts.idle.into(),
                tunnel: timeouts.tunnel.into(),
                total: timeouts.total.map(Into::into),
            },
            breakers: breaker
                .map(|breaker| Breakers::compile(breaker, &upstream.servers, &state, now)),
            outlier: outlier.map(|outlier| Outlier::compile(outlier, &upstream.servers, &state)),
            places: upstream
                .max_in_flight
                .map(|max| Places::compile(max, &state, now)),
            retries: Retries::new(&upstream.retries),
            http2: upstream.http2,
            state,
        }
    }

    /// Makes what this generation goes by what the next one begins with.
    pub fn take_over(&self) {
        let mut kept = Kept {
            adaptive: self.places.as_ref().and_then(Places::adaptive).cloned(),
            ..Kept::default()
        };
        if let Some(breakers) = &self.breakers
            && let Some(breaker) = breakers.of_upstream()
        {
            let breaker = (breakers.counted.clone(), Arc::clone(breaker));
            kept.breakers.insert(None, breaker);
        }
        for (index, server) in self.servers.iter().enumerate() {
            if let Some(breakers) = &self.breakers
                && let Some(breaker) = breakers.of_server(index)
            {
                let breaker = (breakers.counted.clone(), Arc::clone(breaker));
                kept.breakers.insert(Some(server.address), breaker);
            }
            if let Some(outlier) = &self.outlier {
                kept.servers
                    .insert(server.address, Arc::clone(outlier.server(index)));
            }
        }
        self.state.keep(kept);
    }

    /// Whether nothing but its servers' turns decides.
    pub fn takes_everything(&self) -> bool {
        self.breakers.is_none()
            && self.outlier.is_none()
            && self.places.is_none()
            && !self.retries.has_budget()
    }

    /// Takes a request in, or says why not.
    ///
    /// # Errors
    /// [`Unavailable`] when there are as many requests as there may be, or no server may be asked.
    pub fn enter(&self, now: Nanos) -> Result<Entry, Unavailable> {
        let places = self.places.as_ref();
        let place = places.map(|places| places.take(&self.state)).transpose()?;
        let attempt = self.begin(&[], now).map_err(|refused| {
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
        let breakers = self.breakers.as_ref();
        if self
            .most_in_flight()
            .is_some_and(|most| self.state.in_flight.now() >= most)
        {
            return Err(Unavailable::Full);
        }
        match breakers.and_then(|breakers| breakers.closed_until(now)) {
            Some(retry_after) => Err(Unavailable::Open { retry_after }),
            None => Ok(()),
        }
    }

    /// The upstream that is asked while the breaker is open.
    pub fn fallback(&self) -> Option<&str> {
        match self.breakers.as_ref()?.refusal() {
            config::Refusal::Fallback(name) => Some(name),
            config::Refusal::Respond(_) => None,
        }
    }

    /// Another try for a request that failed, if there may be one; on a server that was not among those `tried`
    /// when there is another.
    pub fn try_again(&self, repeat: Repeat, tried: &[SocketAddr], now: Nanos) -> Option<Attempt> {
        if !self.retries.allow(repeat) {
            return None;
        }
        let attempt = self.begin(tried, now).ok()?;
        if !self.retries.pay(repeat.failure, &self.state, now) {
            self.state.counts.retries_over_budget.one();
            return None;
        }
        self.state.counts.retries.one();
        Some(attempt)
    }

    /// Another try on another connection, because the server had closed the one that was kept for reuse. It says
    /// nothing about the server, and is no retry in the sense of the file.
    pub fn try_afresh(&self, tried: &[SocketAddr], now: Nanos) -> Option<Attempt> {
        self.begin(tried, now).ok()
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

    /// Chooses a server and asks its breaker, or the upstream's.
    fn begin(&self, tried: &[SocketAddr], now: Nanos) -> Result<Attempt, Refused> {
        let leave = match &self.breakers {
            None => None,
            Some(breakers) => match breakers.of_upstream() {
                Some(breaker) => Some(breakers.ask(breaker, now)?),
                None => return self.choose(tried, |server| self.ask_server(server, now), now),
            },
        };
        let mut attempt = self.choose(tried, |_| Ok(None), now)?;
        attempt.leave = leave;
        Ok(attempt)
    }

    fn ask_server(&self, server: usize, now: Nanos) -> Result<Option<Leave>, Refused> {
        let breaker = self
            .breakers
            .as_ref()
            .and_then(|breakers| Some((breakers, breakers.of_server(server)?)));
        match breaker {
            Some((breakers, breaker)) => breakers.ask(breaker, now).map(Some),
            None => Ok(None),
        }
    }

    /// The next server in turn that is not among those `tried`, not left out, and that `ask` lets be asked. When
    /// there is none, one that was tried; and when all are left out, one of those.
    fn choose(
        &self,
        tried: &[SocketAddr],
        ask: impl Fn(usize) -> Result<Option<Leave>, Refused>,
        now: Nanos,
    ) -> Result<Attempt, Refused> {
        let address = |server: usize| self.servers[server].address;
        let is_out = |server: usize| {
            self.outlier
                .as_ref()
                .is_some_and(|all| all.is_out(server, now))
        };
        let (mut again, mut out, mut soonest) = (None, None, Nanos::MAX);
        for _ in 0..self.turns.in_a_round() {
            let server = self.turns.take();
            if is_out(server) {
                out = out.or(Some(server));
            } else if tried.contains(&address(server)) {
                again = again.or(Some(server));
            } else {
                match ask(server) {
                    Ok(leave) => return Ok(Attempt::new(address(server), server, leave)),
                    Err(refused) => soonest = soonest.min(refused.retry_after),
                }
            }
        }
        // A whole round was taken: without one more, the next would begin at the same server.
        self.turns.take();
        let nobody_refused = soonest == Nanos::MAX;
        match again.or(out.filter(|_| nobody_refused)) {
            Some(server) => Ok(Attempt::new(address(server), server, ask(server)?)),
            None => Err(Refused {
                retry_after: soonest,
            }),
        }
    }

    fn learn(&self, attempt: &mut Attempt, outcome: Outcome, now: Nanos) {
        if let Outcome::Answered { status, took } = outcome {
            self.state.counts.answers.count(status);
            self.state.counts.response_time.note(took);
        }
        if let (Some(breakers), Some(leave)) = (&self.breakers, &mut attempt.leave) {
            let change = breakers.answered(leave, outcome, now);
            self.note(change, attempt.server);
        }
        if let Some(places) = &self.places {
            places.answered(outcome, now);
        }
        self.judge(attempt.server, outcome, now);
    }

    fn unlearn(&self, attempt: &Attempt, now: Nanos) {
        if let (Some(breakers), Some(leave)) = (&self.breakers, &attempt.leave) {
            self.note(breakers.broke_off(leave, now), attempt.server);
        }
        self.judge(attempt.server, Outcome::NoAnswer, now);
    }

    fn judge(&self, server: usize, outcome: Outcome, now: Nanos) {
        if let Some(outlier) = &self.outlier {
            let address = |server: usize| self.servers[server].address;
            outlier.answered(&self.state.outliers, server, outcome, now, address);
        }
    }

    /// Tells the operator that a breaker changed.
    fn note(&self, change: Option<Change>, server: usize) {
        let Some(change) = change else { return };
        let whose = match self.breakers.as_ref().map(|breakers| breakers.scope) {
            Some(config::BreakerScope::Server) => {
                format!(
                    "server {} of upstream {}",
                    self.servers[server].address, self.name
                )
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

#[cfg(test)]
mod tests;
