//! `listeners.NAME`: where clients come in, and what one connection may take.

mod address;
mod tls;

use std::path::Path;

use floodwall_limiter::Nanos;

pub use self::address::ListenAddress;
pub use self::tls::{Alpn, Certificate, ClientCertificates, ListenerTls, TlsVersion};
use crate::net::Bound;
use crate::read::{self, Cursor, Fields, SHORTEST, count, flag, size_between, span, whole_u32};
use crate::section::{COUNT, DURATION, Key, SIZE, Section, Shape};
use crate::units::format_size;

/// One address that serves HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    pub name: String,
    pub address: ListenAddress,
    /// Whether plaintext connections may speak HTTP/2, which they show by how they begin.
    pub http2: bool,
    /// Permissions of a unix socket: who may connect is who may write to it.
    pub mode: u32,
    /// None: clients speak in the clear.
    pub tls: Option<ListenerTls>,
    /// Every connection begins with a PROXY header, which says whom it is for.
    pub proxy_protocol: bool,
    pub timeouts: ListenerTimeouts,
    pub max: ListenerMax,
}

/// How long a client may take; each is at least 1 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// For all that comes before the first request: the PROXY header, and the handshake of TLS.
    pub handshake: Nanos,
    /// From a request's first byte to the end of its header, in all.
    pub header: Nanos,
    /// Between two reads of a request's body.
    pub body: Nanos,
    /// What a request's body must bring on average beyond that time, in bytes a second; any when absent.
    pub body_rate: Option<u64>,
    /// Between two requests of one connection.
    pub idle: Nanos,
    /// For one write of the response.
    pub write: Nanos,
}

/// How much a client may send or hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerMax {
    /// The whole request header, in bytes.
    pub header_bytes: u64,
    /// The number of header fields.
    pub headers: u32,
    /// The request target, in bytes.
    pub uri: u64,
    /// One request body, in bytes; without a bound when absent.
    pub body: Option<u64>,
    /// Connections of this listener at one time; without a bound when absent.
    pub connections: Option<u64>,
    /// Connections of one client at one time; without a bound when absent.
    pub connections_per_client: Option<u64>,
    /// HTTP/2 streams of one connection at one time.
    pub streams: u32,
}

pub(crate) static SECTION: Section = Section {
    name: "listeners.NAME",
    keys: &[
        Key::required(
            "address",
            Shape::Text(address::PATTERN),
            "ip:port, [ip6]:port or unix:PATH to listen on",
        ),
        Key::new(
            "mode",
            Shape::Scalar,
            "octal permissions of a unix socket; default 0660",
        ),
        Key::new(
            "tls",
            Shape::Section(&tls::SECTION),
            "certificates, and what is asked of clients; in the clear by default",
        ),
        Key::new(
            "proxy_protocol",
            Shape::Flag,
            "whether every connection begins with a PROXY header; default false",
        ),
        Key::new(
            "http2",
            Shape::Flag,
            "plaintext clients may begin with HTTP/2 at once; default false",
        ),
        Key::new(
            "timeouts",
            Shape::Section(&TIMEOUTS),
            "how long a client may take",
        ),
        Key::new(
            "max",
            Shape::Section(&MAX),
            "how much a client may send or hold",
        ),
    ],
    one_of: &[],
};

static TIMEOUTS: Section = Section {
    name: "listeners.NAME.timeouts",
    keys: &[
        Key::new(
            "handshake",
            DURATION,
            "for the PROXY header and the handshake of TLS; default 10s",
        ),
        Key::new(
            "header",
            DURATION,
            "for the whole request header; default 10s",
        ),
        Key::new(
            "body",
            DURATION,
            "between two reads of a request body; default 30s",
        ),
        Key::new(
            "body_rate",
            SIZE,
            "of a request body, a second, once `body` was waited in all; 0B for any, default 240B",
        ),
        Key::new(
            "idle",
            DURATION,
            "between two requests of a connection; default 60s",
        ),
        Key::new(
            "write",
            DURATION,
            "for one write of a response; default 30s",
        ),
    ],
    one_of: &[],
};

static MAX: Section = Section {
    name: "listeners.NAME.max",
    keys: &[
        Key::new(
            "header_bytes",
            SIZE,
            "of a request header; 1KiB to 1MiB, default 64KiB",
        ),
        Key::new(
            "headers",
            Shape::Whole { min: 1, max: 256 },
            "header fields of a request; default 100",
        ),
        Key::new(
            "uri",
            SIZE,
            "of a request target; 64B to 64KiB, default 8KiB",
        ),
        Key::new("body", SIZE, "of a request body; no bound by default"),
        Key::new("connections", COUNT, "at one time; no bound by default"),
        Key::new(
            "connections_per_client",
            COUNT,
            "at one time; no bound by default",
        ),
        Key::new(
            "streams",
            Shape::Whole {
                min: 1,
                max: MOST_STREAMS,
            },
            "of one HTTP/2 connection at one time; default 128",
        ),
    ],
    one_of: &[],
};

/// Who owns the socket and who is in its group, and nobody else.
const DEFAULT_MODE: u32 = 0o660;

/// What listeners share.
pub(crate) struct Around<'a> {
    /// The configuration's.
    pub(crate) folder: &'a Path,
    pub(crate) bound: &'a mut Bound,
    pub(crate) has_trusted_proxies: bool,
}

/// Pingora's own ends, which no setting moves.
const MOST_HEADER_BYTES: u64 = 1 << 20;
const MOST_HEADERS: u64 = 256;

/// More than anybody's client opens; each may keep some of a body waiting.
const MOST_STREAMS: u64 = 1000;

impl Listener {
    pub(crate) fn read(name: &str, value: Cursor<'_>, around: &mut Around<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let named = read::name(name, value);
        let address = fields.required("address", |value| {
            let owner = format!("listeners.{name}");
            ListenAddress::read(value, around.folder, around.bound, &owner)
        });
        let http2 = fields.or("http2", flag, false);
        let is_unix = address.as_ref().is_none_or(ListenAddress::is_unix);
        let mode = fields.or("mode", |value| mode(value, is_unix), DEFAULT_MODE);
        let tls = fields.optional("tls", |value| ListenerTls::read(value, around.folder));
        let believed = is_unix || around.has_trusted_proxies;
        let proxy_protocol = fields.or(
            "proxy_protocol",
            |value| proxy_protocol(value, believed),
            false,
        );
        let timeouts = fields.or(
            "timeouts",
            ListenerTimeouts::read,
            ListenerTimeouts::default(),
        );
        let max = fields.or("max", ListenerMax::read, ListenerMax::default());
        Some(Self {
            name: named?,
            address: address?,
            http2: http2?,
            mode: mode?,
            tls: tls?,
            proxy_protocol: proxy_protocol?,
            timeouts: timeouts?,
            max: max?,
        })
    }
}

/// Reads permissions, with a leading 0 or without.
fn mode(value: Cursor<'_>, is_unix: bool) -> Option<u32> {
    if !is_unix {
        return value.refuse_as("it for an ip:port", "it for a unix socket only");
    }
    value
        .written()
        .filter(|digits| (3..=4).contains(&digits.len()))
        .and_then(|digits| u32::from_str_radix(digits, 8).ok())
        .filter(|mode| *mode <= 0o777)
        .or_else(|| value.refuse("octal permissions such as 0660"))
}

/// Reads the flag. A header from just anybody would make everybody whoever they want to be.
fn proxy_protocol(value: Cursor<'_>, believed: bool) -> Option<bool> {
    let wanted = flag(value)?;
    if wanted && !believed {
        return value.refuse_as(
            "true without `clients.trusted_proxies`",
            "true with the networks of those who send it in `clients.trusted_proxies`",
        );
    }
    Some(wanted)
}

impl Default for ListenerTimeouts {
    fn default() -> Self {
        Self {
            handshake: Nanos::from_secs(10),
            header: Nanos::from_secs(10),
            body: Nanos::from_secs(30),
            body_rate: Some(240),
            idle: Nanos::from_secs(60),
            write: Nanos::from_secs(30),
        }
    }
}

impl ListenerTimeouts {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &TIMEOUTS)?;
        let default = Self::default();
        let handshake = fields.or("handshake", span(SHORTEST), default.handshake);
        let header = fields.or("header", span(SHORTEST), default.header);
        let body = fields.or("body", span(SHORTEST), default.body);
        let body_rate = fields.or(
            "body_rate",
            size_between(0, 1 << 30),
            default.body_rate.unwrap_or(0),
        );
        let idle = fields.or("idle", span(SHORTEST), default.idle);
        let write = fields.or("write", span(SHORTEST), default.write);
        Some(Self {
            handshake: handshake?,
            header: header?,
            body: body?,
            body_rate: Some(body_rate?).filter(|rate| *rate > 0),
            idle: idle?,
            write: write?,
        })
    }
}

impl Default for ListenerMax {
    fn default() -> Self {
        Self {
            header_bytes: 64 << 10,
            headers: 100,
            uri: 8 << 10,
            body: None,
            connections: None,
            connections_per_client: None,
            streams: 128,
        }
    }
}

impl ListenerMax {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &MAX)?;
        let default = Self::default();
        let header_bytes = fields.or(
            "header_bytes",
            size_between(1 << 10, MOST_HEADER_BYTES),
            default.header_bytes,
        );
        let headers = fields.or("headers", whole_u32(1, MOST_HEADERS), default.headers);
        let uri = fields.or("uri", size_between(64, 64 << 10), default.uri);
        let body = fields.optional("body", size_between(0, 1 << 50));
        let connections = fields.optional("connections", count(1, 1_000_000_000));
        let connections_per_client =
            fields.optional("connections_per_client", count(1, 1_000_000_000));
        let streams = fields.or("streams", whole_u32(1, MOST_STREAMS), default.streams);
        let (header_bytes, uri) = (header_bytes?, uri?);
        if uri > header_bytes {
            let found = format!("{}, more than `header_bytes`", format_size(uri));
            return fields.refuse(
                "uri",
                found,
                format!("at most {}", format_size(header_bytes)),
            );
        }
        Some(Self {
            header_bytes,
            headers: headers?,
            uri,
            body: body?,
            connections: connections?,
            connections_per_client: connections_per_client?,
            streams: streams?,
        })
    }
}
