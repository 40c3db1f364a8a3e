//! `upstreams.NAME`: the servers behind the door.

mod breaker;
mod in_flight;
mod outlier;
mod retries;

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use floodwall_limiter::Nanos;

use crate::net::{ADDRESS_PATTERN, address};
use crate::problem::Fault;
use crate::read::{self, Cursor, Fields, Names, SHORTEST, choice, counted, span, whole_u32};
use crate::section::{DURATION, Key, ONE, Section, Shape};
use crate::unbuilt;

pub use breaker::{Breaker, BreakerScope, Refusal, Trip};
pub use in_flight::MaxInFlight;
pub use outlier::{Outlier, SuccessRate};
pub use retries::{Budget, Retries, RetryOn};

/// A group of servers that answer the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    pub name: String,
    /// At least one; addresses are unique.
    pub servers: Vec<Server>,
    pub balance: Balance,
    pub timeouts: UpstreamTimeouts,
    pub retries: Retries,
    pub breaker: Option<Breaker>,
    pub outlier: Option<Outlier>,
    pub max_in_flight: Option<MaxInFlight>,
    /// Whether it is asked with HTTP/2, and with nothing else.
    pub http2: bool,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub address: SocketAddr,
    /// How many turns it gets beside the others, 1 to 1000.
    pub weight: NonZeroU32,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weight {
            NonZeroU32::MIN => write!(f, "{}", self.address),
            weight => write!(f, "{} (weight {weight})", self.address),
        }
    }
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn, each as often as its weight says.
    RoundRobin,
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
            Shape::List(
                &Shape::Either(&[Shape::Text(ADDRESS_PATTERN), Shape::Section(&SERVER)]),
                ONE,
            ),
            "ip:port, or {address, weight}",
        ),
        Key::new(
            "balance",
            Shape::Choice(&["round_robin"]),
            "how a server is chosen; default round_robin",
        ),
        Key::new(
            "timeouts",
            Shape::Section(&TIMEOUTS),
            "how long a server may take",
        ),
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

static SERVER: Section = Section {
    name: "upstreams.NAME.servers[]",
    keys: &[
        Key::required(
            "address",
            Shape::Text(ADDRESS_PATTERN),
            "ip:port or [ip6]:port",
        ),
        Key::new(
            "weight",
            Shape::Whole {
                min: 1,
                max: MOST_WEIGHT,
            },
            "turns beside the others; default 1",
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

const MOST_WEIGHT: u64 = 1_000;

impl Upstream {
    /// Reads one of `upstreams`.
    pub(crate) fn read(name: &str, value: Cursor<'_>, upstreams: &Names<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let breaker = fields.optional("breaker", |value| Breaker::read(value, name, upstreams));
        let name = read::name(name, value);
        let servers = fields.required("servers", servers);
        let balance = fields.or("balance", Balance::read, Balance::RoundRobin);
        let timeouts = fields.or(
            "timeouts",
            UpstreamTimeouts::read,
            UpstreamTimeouts::default(),
        );
        let retries = fields.or("retries", Retries::read, Retries::default());
        let outlier = fields.optional("outlier", Outlier::read);
        let max_in_flight = fields.optional("max_in_flight", MaxInFlight::read);
        let http2 = fields.or("http2", read::flag, false);
        Some(Self {
            name: name?,
            servers: servers?,
            balance: balance?,
            timeouts: timeouts?,
            retries: retries?,
            breaker: breaker?,
            outlier: outlier?,
            max_in_flight: max_in_flight?,
            http2: http2?,
        })
    }
}

fn servers(list: Cursor<'_>) -> Option<Vec<Server>> {
    let mut addresses = HashSet::new();
    let servers = list.items(|item| {
        let server = Server::read(item)?;
        if !addresses.insert(server.address) {
            return item.refuse_as(
                format!("`{}` again", server.address),
                "each server once, with a weight",
            );
        }
        Some(server)
    })?;
    counted(list, servers, 1, usize::MAX)
}

impl Server {
    fn read(value: Cursor<'_>) -> Option<Self> {
        if !value.is_map() {
            return Some(Self {
                address: server_address(value)?,
                weight: NonZeroU32::MIN,
            });
        }
        let fields = Fields::open(value, &SERVER)?;
        let address = fields.required("address", server_address);
        let weight = fields.or("weight", whole_u32(1, MOST_WEIGHT), 1);
        Some(Self {
            address: address?,
            weight: NonZeroU32::new(weight?)?,
        })
    }
}

fn server_address(value: Cursor<'_>) -> Option<SocketAddr> {
    if value.written().is_some_and(is_host_and_port) {
        let allowed = "an IP address and a port, such as 127.0.0.1:9000".into();
        return value.fault(Fault::ValueNotBuilt {
            found: format!("the host name {}", value.describe()),
            allowed,
        });
    }
    address(value)
}

/// Whether a text is a host name, not an address, with a port.
fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let host_like = host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        host_like && host.contains(|c: char| c.is_ascii_alphabetic()) && port.parse::<u16>().is_ok()
    })
}

impl Balance {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let word = value.written().unwrap_or_default();
        let strategy = word.split('(').next().unwrap_or_default();
        if unbuilt::BALANCES.contains(&strategy) {
            return value.fault(Fault::ValueNotBuilt {
                found: value.describe(),
                allowed: "round_robin".into(),
            });
        }
        choice(&["round_robin"], &[Self::RoundRobin])(value)
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
