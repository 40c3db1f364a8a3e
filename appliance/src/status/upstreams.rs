//! Upstreams: their servers, what is known of them, and their breakers.

use floodwall_limiter::{
    Nanos,
    shape::breaker::{Breaker, Position},
};
use serde::{Deserialize, Serialize};

use super::{ClassCount, LatencyStatus, seconds};
use crate::{
    generation::Generation,
    upstream::{Breakers, Group, Upstream, Vitals, pool::Connections},
};

/// One upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    pub name: String,
    /// As the file has it.
    pub balance: String,
    pub servers: Vec<ServerStatus>,
    /// What its servers' names were found to mean; empty without names.
    pub names: Vec<NameStatus>,
    /// Whether so few servers are well that all are asked.
    pub panicking: bool,
    pub requests: u64,
    /// Its answers by the class of their status, each try by itself.
    pub answers: Vec<ClassCount>,
    /// From a request to the head of its answer.
    pub response_time: LatencyStatus,
    pub connect_failures: u64,
    pub connections: ConnectionStatus,
    pub retries: u64,
    /// Retries that the budget did not allow.
    pub retries_over_budget: u64,
    /// What the budget has left at the moment; absent without one.
    pub retries_left: Option<u64>,
    pub errors: u64,
    /// Requests it has now; absent when nobody counts, which is without `max_in_flight`.
    pub in_flight: Option<u64>,
    /// The bound as it is now; it moves when it is adaptive.
    pub max_in_flight: Option<u64>,
    /// What an answer takes without a queue, as an adaptive bound found out.
    pub unqueued_ms: Option<f64>,
    /// Requests refused because it had as many as it may have.
    pub refused_full: u64,
    /// Requests refused because no server was known.
    pub refused_unknown: u64,
    /// Requests refused because its breaker was open, or went to the fallback.
    pub refused_open: u64,
    /// How often a breaker of it opened.
    pub breaker_opened: u64,
    /// Absent when it has none, or one for each server.
    pub breaker: Option<BreakerStatus>,
}

/// Connections to the servers of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    pub opened: u64,
    /// Requests that went over one that was there already.
    pub reused: u64,
    pub open: u64,
    /// Open ones that no request uses.
    pub idle: u64,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    pub address: String,
    pub weight: u32,
    /// The part of its weight that it has; less than 1 while it starts slowly.
    pub share: f64,
    /// Requests that were sent to it, each try by itself.
    pub requests: u64,
    pub in_flight: u64,
    /// Absent when nobody checks.
    pub health: Option<HealthStatus>,
    /// What went wrong with it last; absent when nothing did.
    pub last_error: Option<LastError>,
    /// Absent when it has none, or shares one with the others.
    pub breaker: Option<BreakerStatus>,
    /// How long it is still left out as an outlier; absent when it is not.
    pub out_for_seconds: Option<f64>,
    /// How often it was left out; absent when nobody counts.
    pub ejections: Option<u64>,
}

/// What the checks of a server found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthStatus {
    pub healthy: bool,
    /// How long it has been so; absent for one that was always healthy.
    pub since_seconds: Option<f64>,
    pub checks: u64,
    pub failures: u64,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastError {
    pub what: String,
    pub seconds_ago: f64,
}

/// The name of one or more servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameStatus {
    pub name: String,
    /// The last good answer; empty before the first.
    pub addresses: Vec<String>,
    /// How old that is.
    pub answered_seconds_ago: Option<f64>,
    /// Why the last look brought nothing; absent when it did.
    pub error: Option<String>,
}

/// A circuit breaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakerStatus {
    pub state: BreakerState,
    /// How long it has been in that state; absent for one that was always closed.
    pub since_seconds: Option<f64>,
    /// When an open one tries again.
    pub open_for_seconds: Option<f64>,
    /// The answers in its window, and the bad ones among them.
    pub answers: u64,
    pub bad: u64,
    /// Probes of a half-open one that are under way, and that succeeded.
    pub probes_in_flight: u8,
    pub probes_succeeded: u8,
}

/// Where a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    HalfOpen,
    Open,
}

pub(super) fn upstreams(generation: &Generation, now: Nanos) -> Vec<UpstreamStatus> {
    let upstreams = generation.upstreams().iter();
    upstreams
        .map(|upstream| UpstreamStatus::of(upstream, now))
        .collect()
}

impl UpstreamStatus {
    fn of(upstream: &Upstream, now: Nanos) -> Self {
        let counts = &upstream.state.counts;
        let group = upstream.group();
        let breakers = group.breakers.as_ref();
        let breaker = breakers.and_then(Breakers::of_upstream);
        Self {
            name: upstream.name.clone(),
            balance: upstream.config.balance.to_string(),
            servers: (0..group.servers.len())
                .map(|index| ServerStatus::of(&group, index, now))
                .collect(),
            names: NameStatus::all(upstream, now),
            panicking: group.is_panicking(),
            requests: counts.requests.get(),
            answers: ClassCount::all(|class| counts.answers.of(class)),
            response_time: LatencyStatus::of(&counts.response_time),
            connect_failures: counts.connect_failures.get(),
            connections: ConnectionStatus::of(&upstream.state.connections),
            retries: counts.retries.get(),
            retries_over_budget: counts.retries_over_budget.get(),
            retries_left: upstream.retries_left(now),
            errors: counts.errors.get(),
            in_flight: upstream.in_flight(),
            max_in_flight: upstream.most_in_flight(),
            unqueued_ms: upstream.unqueued().map(|span| seconds(span) * 1_000.0),
            refused_full: counts.refused_full.get(),
            refused_unknown: counts.refused_unknown.get(),
            refused_open: counts.refused_open.get(),
            breaker_opened: counts.opened.get(),
            breaker: breaker.map(|breaker| BreakerStatus::of(breaker, now)),
        }
    }
}

impl ConnectionStatus {
    fn of(connections: &Connections) -> Self {
        Self {
            opened: connections.opened.get(),
            reused: connections.reused.get(),
            open: connections.open.get(),
            idle: connections.idle.get(),
        }
    }
}

impl ServerStatus {
    fn of(group: &Group, index: usize, now: Nanos) -> Self {
        let server = &group.servers[index];
        let live = &server.live;
        let outlier = group.outlier.as_ref().map(|outlier| outlier.server(index));
        let breakers = group.breakers.as_ref();
        let breaker = breakers.and_then(|breakers| breakers.of_server(index));
        let share = u32::try_from(group.share(index, now)).unwrap_or(1_000_000);
        Self {
            address: server.endpoint.to_string(),
            weight: server.weight.get(),
            share: f64::from(share) / 1e6,
            requests: live.requests.get(),
            in_flight: live.in_flight.get(),
            health: group
                .is_checked()
                .then(|| HealthStatus::of(&live.vitals, now)),
            last_error: live.last_error().map(|(at, what)| LastError {
                what,
                seconds_ago: seconds(now.minus(at)),
            }),
            breaker: breaker.map(|breaker| BreakerStatus::of(breaker, now)),
            out_for_seconds: outlier.and_then(|server| server.out_for(now)).map(seconds),
            ejections: outlier.map(|server| server.ejections()),
        }
    }
}

impl HealthStatus {
    fn of(vitals: &Vitals, now: Nanos) -> Self {
        Self {
            healthy: vitals.is_well(),
            since_seconds: vitals.since().map(|since| seconds(now.minus(since))),
            checks: vitals.checks.get(),
            failures: vitals.failures.get(),
        }
    }
}

impl NameStatus {
    fn all(upstream: &Upstream, now: Nanos) -> Vec<Self> {
        let names = upstream.names().map(|name| {
            let found = upstream.state.names.get(&name).unwrap_or_default();
            Self {
                name: format!("{}:{}", name.0, name.1),
                addresses: found.addresses.iter().map(ToString::to_string).collect(),
                answered_seconds_ago: found.answered.map(|at| seconds(now.minus(at))),
                error: found.error,
            }
        });
        names.collect()
    }
}

impl BreakerStatus {
    fn of(breaker: &Breaker, now: Nanos) -> Self {
        let view = breaker.view(now);
        let (state, left, probes) = match view.position {
            Position::Closed => (BreakerState::Closed, None, (0, 0)),
            Position::Open { left } => (BreakerState::Open, Some(left), (0, 0)),
            Position::HalfOpen {
                in_flight,
                succeeded,
            } => (BreakerState::HalfOpen, None, (in_flight, succeeded)),
        };
        Self {
            state,
            since_seconds: (view.since > Nanos::ZERO).then(|| seconds(now.minus(view.since))),
            open_for_seconds: left.map(seconds),
            answers: view.counts.all,
            bad: view.counts.bad,
            probes_in_flight: probes.0,
            probes_succeeded: probes.1,
        }
    }
}
