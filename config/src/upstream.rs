//! `upstreams.NAME`: the servers behind the door.

mod balance;
mod breaker;
mod dns;
mod health;
mod in_flight;
mod outlier;
mod pool;
mod retries;
mod server;
mod tls;

use std::path::Path;

use floodwall_limiter::Nanos;

use crate::read::{self, Cursor, Fields, Names, SHORTEST, choice, span};
use crate::section::{DURATION, Key, Section, Shape};

pub use balance::Balance;
pub use breaker::{Breaker, BreakerScope, Refusal, Trip};
pub use dns::{Dns, Family};
pub use health::{Check, Health};
pub use in_flight::MaxInFlight;
pub use outlier::{Outlier, SuccessRate};
pub use pool::Pool;
pub use retries::{Budget, Retries, RetryOn};
pub use server::{Address, Server};
pub use tls::{UpstreamCertificate, UpstreamTls};

/// A group of servers that answer the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    pub name: String,
    /// At least one; addresses are unique.
    pub servers: Vec<Server>,
    pub balance: Balance,
    /// None: nobody asks whether the servers are well.
    pub health: Option<Health>,
    /// How long a server that is new or well again gets less than its weight; none: it gets all of it at once.
    pub slow_start: Option<Nanos>,
    pub dns: Dns,
    /// For servers without their own; none: in plain text.
    pub tls: Option<UpstreamTls>,
    /// How servers are told for whom a connection is; none: they are not.
    pub proxy_protocol: Option<ProxyVersion>,
    pub timeouts: UpstreamTimeouts,
    pub pool: Pool,
    pub retries: Retries,
    pub breaker: Option<Breaker>,
    pub outlier: Option<Outlier>,
    pub max_in_flight: Option<MaxInFlight>,
    /// Whether it is asked with HTTP/2, and with nothing else.
    pub http2: bool,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    V1,
    V2,
}

/// How long an upstream may take; each is at least 1 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// To open a connection.
    pub connect: Nanos,
    /// Between two reads of a response.
    pub read: Nanos,
    /// For one write of a request.
    pub write: Nanos,
    /// How long an unused connection is kept.
    pub idle: Nanos,
    /// Without a byte in either direction once a connection has changed its protocol, as for a WebSocket.
    pub tunnel: Nanos,
    /// For everything from the request to the last byte of the response, retries included.
    pub total: Option<Nanos>,
}

pub(crate) static SECTION: Section = Section {
    name: "upstreams.NAME",
    keys: &[
        Key::required(
            "servers",
            server::SERVERS,
            "ip:port, host:port or unix:PATH, or {address, weight}",
        ),
        Key::new(
            "balance",
            balance::SHAPE,
            "how a server is chosen; default round_robin",
        ),
        Key::new(
            "health",
            Shape::Section(&health::SECTION),
            "asking the servers whether they are well",
        ),
        Key::new(
            "slow_start",
            DURATION,
            "how long a server that is new or well again gets less than its weight",
        ),
        Key::new(
            "dns",
            Shape::Section(&dns::SECTION),
            "how names of servers are looked up",
        ),
        Key::new(
            "tls",
            Shape::Section(&tls::SECTION),
            "TLS towards the servers",
        ),
        Key::new(
            "proxy_protocol",
            Shape::Choice(&["v1", "v2"]),
            "tells servers for whom a connection is; they are not told by default",
        ),
        Key::new(
            "timeouts",
            Shape::Section(&TIMEOUTS),
            "how long a server may take",
        ),
        Key::new("pool", pool::SHAPE, "which connections are kept"),
        Key::new(
            "retries",
            Shape::Section(&retries::SECTION),
            "what is tried again",
        ),
        Key::new(
            "breaker",
            Shape::Section(&breaker::SECTION),
            "when it is asked no more for a while",
        ),
        Key::new(
            "outlier",
            Shape::Section(&outlier::SECTION),
            "which servers are left out for a while",
        ),
        Key::new(
            "max_in_flight",
            in_flight::SHAPE,
            "requests at one time; no bound by default",
        ),
        Key::new(
            "http2",
            Shape::Flag,
            "asked with HTTP/2, without TLS by prior knowledge; default false",
        ),
    ],
    one_of: &[],
};

static TIMEOUTS: Section = Section {
    name: "upstreams.NAME.timeouts",
    keys: &[
        Key::new("connect", DURATION, "to open a connection; default 3s"),
        Key::new(
            "read",
            DURATION,
            "between two reads of a response; default 60s",
        ),
        Key::new("write", DURATION, "for one write of a request; default 60s"),
        Key::new(
            "idle",
            DURATION,
            "how long an unused connection is kept; default 60s",
        ),
        Key::new(
            "tunnel",
            DURATION,
            "without a byte either way after an upgrade, as of a WebSocket; default 5m",
        ),
        Key::new(
            "total",
            DURATION,
            "for the whole exchange, retries included; no bound by default",
        ),
    ],
    one_of: &[],
};

impl Upstream {
    /// Reads one of `upstreams`. Relative paths in it are relative to `folder`.
    pub(crate) fn read(
        name: &str,
        value: Cursor<'_>,
        upstreams: &Names<'_>,
        folder: &Path,
    ) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let breaker = fields.optional("breaker", |value| Breaker::read(value, name, upstreams));
        let name = read::name(name, value);
        let servers = fields.required("servers", |list| Server::read_all(list, folder));
        let balance = fields.or("balance", Balance::read, Balance::RoundRobin);
        let health = fields.optional("health", Health::read);
        let slow_start = fields.optional("slow_start", |value| slow_start(value, balance.as_ref()));
        let dns = fields.or("dns", Dns::read, Dns::default());
        let tls = fields.optional("tls", |value| UpstreamTls::read(value, folder));
        let versions = choice(&["v1", "v2"], &[ProxyVersion::V1, ProxyVersion::V2]);
        let proxy_protocol = fields.optional("proxy_protocol", versions);
        let timeouts = fields.or(
            "timeouts",
            UpstreamTimeouts::read,
            UpstreamTimeouts::default(),
        );
        let pool = fields.or("pool", Pool::read, Pool::default());
        let retries = fields.or("retries", Retries::read, Retries::default());
        let outlier = fields.optional("outlier", Outlier::read);
        let max_in_flight = fields.optional("max_in_flight", MaxInFlight::read);
        let http2 = fields.or("http2", read::flag, false);
        let (servers, tls) = (servers?, tls?);
        let (health, http2) = (health?, http2?);
        checkable(&fields, health.as_ref(), http2 && tls.is_none())?;
        unnamed(&fields, &servers, tls.as_ref())?;
        Some(Self {
            name: name?,
            servers,
            balance: balance?,
            health,
            slow_start: slow_start?,
            dns: dns?,
            tls,
            proxy_protocol: proxy_protocol?,
            timeouts: timeouts?,
            pool: pool?,
            retries: retries?,
            breaker: breaker?,
            outlier: outlier?,
            max_in_flight: max_in_flight?,
            http2,
        })
    }
}

/// Reads how long a server starts slowly, which hashes cannot: they would move keys there and back.
fn slow_start(value: Cursor<'_>, balance: Option<&Balance>) -> Option<Nanos> {
    if let Some(balance @ Balance::Hash(_)) = balance {
        return value.refuse_as(
            format!("`slow_start` beside `balance: {balance}`"),
            "it beside round_robin, least_request or random: a key has one server, or another",
        );
    }
    span(SHORTEST)(value)
}

/// Refuses checks that the servers could not understand: they are asked with HTTP/1.
fn checkable(fields: &Fields<'_>, health: Option<&Health>, http2_only: bool) -> Option<()> {
    match health {
        Some(Health {
            check: Check::Http { .. },
            ..
        }) if http2_only => fields.refuse(
            "health",
            "`path` beside `http2` in plain text, but checks are HTTP/1",
            "`tcp: true` in its place",
        ),
        _ => Some(()),
    }
}

/// Refuses a socket with TLS when nothing says whom its certificate must be for.
fn unnamed(fields: &Fields<'_>, servers: &[Server], tls: Option<&UpstreamTls>) -> Option<()> {
    let unnamed = servers.iter().find(|server| {
        let tls = server.tls.as_ref().or(tls);
        tls.is_some_and(|tls| tls.verify && tls.name_for(&server.address).is_none())
    });
    match unnamed {
        None => Some(()),
        Some(server) => fields.refuse(
            "servers",
            format!(
                "`{}` with TLS, and nothing says whom its certificate is for",
                server.address
            ),
            "`server_name` in its `tls`",
        ),
    }
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        let minute = Nanos::from_secs(60);
        Self {
            connect: Nanos::from_secs(3),
            read: minute,
            write: minute,
            idle: minute,
            tunnel: Nanos::from_secs(300),
            total: None,
        }
    }
}

impl UpstreamTimeouts {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &TIMEOUTS)?;
        let default = Self::default();
        let connect = fields.or("connect", span(SHORTEST), default.connect);
        let read = fields.or("read", span(SHORTEST), default.read);
        let write = fields.or("write", span(SHORTEST), default.write);
        let idle = fields.or("idle", span(SHORTEST), default.idle);
        let tunnel = fields.or("tunnel", span(SHORTEST), default.tunnel);
        let total = fields.optional("total", span(SHORTEST));
        Some(Self {
            connect: connect?,
            read: read?,
            write: write?,
            idle: idle?,
            tunnel: tunnel?,
            total: total?,
        })
    }
}
