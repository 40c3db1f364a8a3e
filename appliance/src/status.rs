//! What the running service says of itself: the documents behind `floodwall status` and the admin address.
//!
//! Their names are a promise: they end in the unit where there is one, and they stay.

mod routes;

use std::{collections::BTreeMap, path::PathBuf};

use floodwall_config::ListenAddress;
use floodwall_limiter::{
    Nanos,
    shape::breaker::{Breaker, Position},
};
use serde::{Deserialize, Serialize};

pub use self::routes::{BucketStatus, LatencyStatus, RouteStatus};

use crate::{
    access_log::timestamp,
    blocks,
    gate::GateStatus,
    generation::Generation,
    host::Host,
    limit::Limit,
    mirror::{self, MirrorStatus},
    prefilter::KernelStatus,
    protection::status::ProtectionStatus,
    reload::LastReload,
    server::http2::Offence,
    stats::{Classes, LimitStats},
    tokens::{self, status::TokenStatus},
    upstream::{Breakers, Group, Upstream, Vitals},
};

/// Everything at a glance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    /// When the process began, RFC 3339 in UTC.
    pub since: String,
    pub uptime_seconds: f64,
    pub generation: GenerationStatus,
    /// The last reload, whatever became of it; absent before the first.
    pub last_reload: Option<LastReload>,
    pub reloads: ReloadCounts,
    pub listeners: Vec<ListenerStatus>,
    pub connections: ConnectionCounts,
    pub requests: RequestCounts,
    /// Those that have had requests.
    pub routes: Vec<RouteStatus>,
    pub upstreams: Vec<UpstreamStatus>,
    pub limits: Vec<LimitStatus>,
    pub tokens: Vec<TokenStatus>,
    pub gates: Vec<GateStatus>,
    pub mirrors: Vec<MirrorStatus>,
    /// Absent when the file has no `protection`.
    pub protection: Option<ProtectionStatus>,
    pub prefilter: KernelStatus,
    pub table: TableStatus,
    /// How many sources are blocked now and listed.
    pub blocks: usize,
    pub blocks_budget: BlocksBudget,
}

/// How many of the blocks that limits may make are spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlocksBudget {
    /// Sources that limits have blocked and that still are; an operator's are not counted.
    pub standing: u64,
    pub max: u64,
    /// Blocks that were not made because so many stood.
    pub refused_full: u64,
    /// Blocks that were not made because they came too fast.
    pub refused_rate: u64,
    /// Blocks that are enforced, but found no room in the list.
    pub unlisted: u64,
}

/// One rule set in two layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationStatus {
    pub proxy: u64,
    /// The same number, unless the pre-filter is off.
    pub kernel: Option<u64>,
    pub file: PathBuf,
}

/// How often a reload was taken or refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReloadCounts {
    pub taken: u64,
    pub refused: u64,
}

/// An address that is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerStatus {
    pub name: String,
    pub address: String,
    pub connections_open: u64,
}

/// Connections over all listeners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionCounts {
    pub open: u64,
    pub accepted: u64,
    /// Closed at accept because the source is blocked.
    pub refused_blocked: u64,
    /// Closed at accept because there were too many.
    pub refused_full: u64,
    /// Ended in the middle because the source was blocked.
    pub cut: u64,
    /// HTTP/2 connections that were ended for what their clients did, by its name.
    pub offences: BTreeMap<String, u64>,
    /// Ended before their first request could come, by the reason.
    pub failed: BTreeMap<String, u64>,
}

/// Requests over all listeners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestCounts {
    pub in_flight: u64,
    /// Finished, by the class of their status, `1xx` to `5xx`, and `none` for those without one.
    pub finished: Vec<ClassCount>,
    pub malformed: u64,
    pub unrouted: u64,
    pub access_log_dropped: u64,
    /// Header fields left out because what a request put into them could not stand on the wire.
    pub fields_dropped: u64,
}

/// Requests of one class of status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassCount {
    pub class: String,
    pub count: u64,
}

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

/// One limit of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitStatus {
    pub name: String,
    /// `none`, or the parts of the key.
    pub key: Vec<String>,
    /// As the file has it.
    pub rate: String,
    pub burst: u64,
    pub shadow: bool,
    pub admitted: u64,
    pub refused: u64,
    /// Over the limit, and admitted because it is in shadow.
    pub shadowed: u64,
    /// Over the limit, and admitted because its key is not among those that are refused.
    pub unenforced: u64,
    /// Requests that wait for their turn or for a slot.
    pub waiting: u64,
    /// Requests under way, of a limit of concurrency.
    pub in_flight: u64,
    /// Sources it has blocked.
    pub blocks: u64,
    /// Keys in debt that lost their cell to one of this limit's, by this process.
    pub takeovers: u64,
    /// The keys that it was asked for most in the last minutes, the hottest first.
    pub hottest: Vec<HotKeyStatus>,
}

/// A key and how often it came. Counts are halved every minute, and estimated above a thousand a minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HotKeyStatus {
    /// In words; cut after 128 bytes.
    pub key: String,
    /// At the most so many requests,
    pub requests: u64,
    /// and fewer by up to so many.
    pub error: u64,
    /// Of them refused by this limit.
    pub refused: u64,
}

/// The flow table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStatus {
    pub cells: u64,
    pub bytes: u64,
    /// Whether the kernel maps the same memory.
    pub shared_with_kernel: bool,
    /// Keys in debt that lost their cell to another one, by this process.
    pub displaced: u64,
    /// Decisions given up because too many threads raced for one cell.
    pub contended: u64,
}

impl Status {
    /// Looks at everything once. Counters go on while it does.
    pub fn of(host: &Host, last_reload: Option<LastReload>) -> Self {
        let generation = host.pin();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(host.started.wall),
            uptime_seconds: uptime_seconds(host),
            generation: GenerationStatus {
                proxy: generation.number,
                kernel: host.kernel.generation(),
                file: generation.file.clone(),
            },
            last_reload,
            reloads: ReloadCounts {
                taken: host.stats.reloads.taken.get(),
                refused: host.stats.reloads.refused.get(),
            },
            listeners: listeners(host, &generation),
            connections: ConnectionCounts::of(host),
            requests: RequestCounts::of(host),
            routes: routes::routes(&generation),
            upstreams: upstreams(&generation, host.now()),
            limits: limits(&generation, host.now()),
            tokens: tokens::status::all(&generation.tokens),
            gates: gates(&generation, host),
            mirrors: mirror::status(&generation),
            protection: generation
                .protection
                .as_ref()
                .map(|protection| ProtectionStatus::of(host, protection)),
            table: TableStatus::of(host),
            prefilter: KernelStatus {
                samples: host.samples.all(),
                ..host.kernel.status()
            },
            blocks: blocks::list(host).len(),
            blocks_budget: BlocksBudget::of(host, &generation),
        }
    }
}

/// How long the process has been running, in seconds.
pub fn uptime_seconds(host: &Host) -> f64 {
    seconds(host.now().minus(host.started.monotonic))
}

/// All gates, in the order of the file.
pub fn gates(generation: &Generation, host: &Host) -> Vec<GateStatus> {
    let now = std::time::SystemTime::now();
    let gates = generation.gates().iter();
    gates
        .map(|gate| GateStatus::of(gate, &host.journal, now))
        .collect()
}

/// All limits, in the order of the file.
pub fn limits(generation: &Generation, now: Nanos) -> Vec<LimitStatus> {
    let limits = generation.limits().iter();
    limits.map(|limit| LimitStatus::of(limit, now)).collect()
}

fn listeners(host: &Host, generation: &Generation) -> Vec<ListenerStatus> {
    let open = host.stats.open_connections();
    let listeners = generation.config.listeners.iter();
    listeners
        .map(|listener| ListenerStatus {
            name: listener.name.clone(),
            address: match &listener.address {
                ListenAddress::Tcp(address) => address.to_string(),
                ListenAddress::Unix(path) => format!("unix:{}", path.display()),
            },
            connections_open: open
                .iter()
                .find(|(name, _)| *name == listener.name)
                .map_or(0, |(_, count)| *count),
        })
        .collect()
}

fn upstreams(generation: &Generation, now: Nanos) -> Vec<UpstreamStatus> {
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
            answers: ClassCount::all(&counts.answers),
            response_time: LatencyStatus::of(&counts.response_time),
            connect_failures: counts.connect_failures.get(),
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

fn seconds(span: Nanos) -> f64 {
    std::time::Duration::from(span).as_secs_f64()
}

impl LimitStatus {
    fn of(limit: &Limit, now: Nanos) -> Self {
        let key: Vec<String> = limit.key.iter().map(ToString::to_string).collect();
        Self {
            name: limit.name.clone(),
            key: if key.is_empty() {
                vec!["none".to_owned()]
            } else {
                key
            },
            rate: limit.rule.text.clone(),
            burst: limit.rule.burst,
            shadow: limit.shadow,
            admitted: limit.stats.admitted.get(),
            refused: limit.stats.refused.get(),
            shadowed: limit.stats.shadowed.get(),
            unenforced: limit.stats.unenforced.get(),
            waiting: limit.stats.live.waiting(),
            in_flight: limit.stats.live.in_flight(),
            blocks: limit.stats.blocks.get(),
            takeovers: limit.stats.takeovers.get(),
            hottest: HotKeyStatus::of(&limit.stats, now),
        }
    }
}

impl HotKeyStatus {
    /// So many keys of each limit are shown.
    const SHOWN: usize = 10;

    fn of(stats: &LimitStats, now: Nanos) -> Vec<Self> {
        let keys = stats.hot.hottest(Self::SHOWN, now).into_iter();
        keys.map(|key| Self {
            key: key.name,
            requests: key.requests,
            error: key.error,
            refused: key.refused,
        })
        .collect()
    }
}

impl ConnectionCounts {
    fn of(host: &Host) -> Self {
        let counts = &host.stats.requests;
        Self {
            open: counts.connections_open.get(),
            accepted: counts.connections.get(),
            refused_blocked: counts.connections_refused_blocked.get(),
            refused_full: counts.connections_refused_full.get(),
            cut: counts.connections_cut.get(),
            offences: Offence::ALL
                .map(|offence| (offence.name().to_owned(), counts.offences.get(offence)))
                .into(),
            failed: counts
                .failures
                .by_name()
                .map(|(reason, count)| (reason.to_owned(), count))
                .collect(),
        }
    }
}

impl ClassCount {
    fn all(classes: &Classes) -> Vec<Self> {
        let counts = (0..).zip(Classes::NAMES);
        counts
            .map(|(index, class)| Self {
                class: class.to_owned(),
                count: classes.of(index),
            })
            .collect()
    }
}

impl RequestCounts {
    fn of(host: &Host) -> Self {
        let counts = &host.stats.requests;
        Self {
            in_flight: counts.in_flight.get(),
            finished: ClassCount::all(&counts.by_class),
            malformed: counts.malformed.get(),
            unrouted: counts.unrouted.get(),
            access_log_dropped: host.access_log.dropped(),
            fields_dropped: counts.fields_dropped.get(),
        }
    }
}

impl BlocksBudget {
    fn of(host: &Host, generation: &Generation) -> Self {
        let account = host.budget.account(host.now());
        Self {
            standing: account.standing,
            max: generation.blocks.max,
            refused_full: account.refused_full,
            refused_rate: account.refused_rate,
            unlisted: host.book.unlisted(),
        }
    }
}

impl TableStatus {
    /// Bytes of one cell.
    const CELL: u64 = 16;

    fn of(host: &Host) -> Self {
        Self {
            cells: host.table.cells(),
            bytes: host.table.cells() * Self::CELL,
            shared_with_kernel: host.kernel.generation().is_some(),
            displaced: host.table.displaced(),
            contended: host.table.contended(),
        }
    }
}

/// A block that an operator wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBlock {
    /// An address, or the network that the configuration counts it under.
    pub source: String,
    pub duration_ms: u64,
    /// Drops everything, not only what goes to the listeners' ports.
    pub whole_host: bool,
    pub reason: String,
}

/// A block that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockAdded {
    pub source: String,
    pub ends_in_seconds: f64,
    /// Whether `blocks list` shows it; it is enforced in any case.
    pub listed: bool,
}
