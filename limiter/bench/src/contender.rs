//! The contenders: each answers whether one request of one client passes, and all of them always say yes.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret, Source, table::Set,
};
use governor::{
    RateLimiter,
    clock::{Clock, DefaultClock, FakeRelativeClock},
    middleware::NoOpMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use pingora_limits::rate::Rate;
use sentinel_core::{EntryBuilder, hotspot};

/// A limiter with one budget for each client.
pub trait Contender: Sync {
    /// Whether the client's request passes.
    fn decide(&self, client: u32) -> bool;
}

impl Contender for Box<dyn Contender> {
    fn decide(&self, client: u32) -> bool {
        (**self).decide(client)
    }
}

/// Floodwall, told the time as the proxy does: one clock read serves all of a request's limits.
pub struct Floodwall {
    table: FlowTable<Box<[Set]>>,
    limit: LimitId,
    quota: Quota,
}

impl Floodwall {
    pub fn new(clients: u32) -> Self {
        let secret = Secret {
            k0: 0x0123_4567_89ab_cdef,
            k1: 0xfedc_ba98_7654_3210,
        };
        Self {
            table: FlowTable::own(4 * u64::from(clients), secret),
            limit: LimitId::new(secret, LimitKind::Request, "per-client"),
            quota: Quota::new(1_000_000_000, Nanos::SECOND, u64::MAX),
        }
    }

    #[inline]
    fn at(&self, client: u32, now: Nanos) -> bool {
        self.charge(
            KeyHash::of_source(self.table.secret(), Source::v4(client, 32)),
            now,
        )
    }

    #[inline]
    fn charge(&self, key: KeyHash, now: Nanos) -> bool {
        self.table
            .charge(FlowId::new(key, self.limit), self.quota, now, 1)
            .is_ok()
    }
}

impl Contender for Floodwall {
    fn decide(&self, client: u32) -> bool {
        self.at(client, Nanos::SECOND)
    }
}

/// Floodwall's second and further limits of a request, whose key is hashed already.
pub struct FloodwallKnownKey {
    inner: Floodwall,
    keys: Vec<KeyHash>,
}

impl FloodwallKnownKey {
    pub fn new(clients: u32) -> Self {
        let inner = Floodwall::new(clients);
        let secret = inner.table.secret();
        let key = |client| KeyHash::of_source(secret, Source::v4(client, 32));
        Self {
            keys: (0..clients).map(key).collect(),
            inner,
        }
    }
}

impl Contender for FloodwallKnownKey {
    fn decide(&self, client: u32) -> bool {
        self.inner.charge(self.keys[client as usize], Nanos::SECOND)
    }
}

/// Floodwall with a clock read for each decision, which is what its rivals do.
pub struct FloodwallWithClock {
    inner: Floodwall,
    start: Instant,
}

impl FloodwallWithClock {
    pub fn new(clients: u32) -> Self {
        Self {
            inner: Floodwall::new(clients),
            start: Instant::now(),
        }
    }
}

impl Contender for FloodwallWithClock {
    fn decide(&self, client: u32) -> bool {
        self.inner.at(client, Nanos::from(self.start.elapsed()))
    }
}

/// governor, keyed by address in its default store (`DashMap`).
pub struct Governor<C: Clock>(
    RateLimiter<IpAddr, DefaultKeyedStateStore<IpAddr>, C, NoOpMiddleware<C::Instant>>,
);

impl Governor<DefaultClock> {
    pub fn new() -> Self {
        Self(RateLimiter::keyed(widest()))
    }
}

impl Governor<FakeRelativeClock> {
    /// With a clock that costs one load.
    pub fn without_clock() -> Self {
        let clock = FakeRelativeClock::default();
        Self(RateLimiter::new(
            widest(),
            DefaultKeyedStateStore::default(),
            clock,
        ))
    }
}

fn widest() -> governor::Quota {
    governor::Quota::per_second(NonZeroU32::MAX)
}

impl<C: Clock + Sync> Contender for Governor<C>
where
    C::Instant: Sync,
{
    fn decide(&self, client: u32) -> bool {
        self.0
            .check_key(&IpAddr::V4(Ipv4Addr::from_bits(client)))
            .is_ok()
    }
}

/// pingora-limits, as its documentation shows it: what was seen in this second, against a limit.
pub struct PingoraLimits(Rate);

impl PingoraLimits {
    pub fn new() -> Self {
        Self(Rate::new(Duration::from_secs(1)))
    }
}

impl Contender for PingoraLimits {
    fn decide(&self, client: u32) -> bool {
        self.0.observe(&IpAddr::V4(Ipv4Addr::from_bits(client)), 1) < isize::MAX
    }
}

/// sentinel-core, with a hotspot rule on the client's address.
pub struct Sentinel(String);

impl Sentinel {
    pub fn new(clients: u32) -> Self {
        let resource = format!("bench-{clients}");
        hotspot::load_rules(vec![Arc::new(hotspot::Rule {
            resource: resource.clone(),
            metric_type: hotspot::MetricType::QPS,
            threshold: 1_000_000_000,
            duration_in_sec: 1,
            params_max_capacity: 2 * clients as usize,
            ..Default::default()
        })]);
        Self(resource)
    }
}

impl Contender for Sentinel {
    fn decide(&self, client: u32) -> bool {
        let address = Ipv4Addr::from_bits(client).to_string();
        let entry = EntryBuilder::new(self.0.clone())
            .with_args(Some(vec![address]))
            .build();
        entry.map(|entry| entry.exit()).is_ok()
    }
}
