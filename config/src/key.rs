//! `key`: what a limit counts by.

use std::fmt;

use crate::HeaderName;
use crate::matching::{cookie_name, plain_name};
use crate::read::{Cursor, counted, unique_list};
use crate::section::{ONE, Shape};

/// One part of a limit's key. A limit without parts (`key: none`) has one budget for all requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyPart {
    /// The client as [`crate::Clients`] defines it.
    Client,
    Header(HeaderName),
    Cookie(String),
    Query(String),
    /// The path without the query.
    Path,
    Host,
    Method,
    /// The route's name.
    Route,
    /// The TCP connection.
    Connection,
    /// The host that the client asked for with TLS.
    TlsServerName,
    /// The fingerprint of the client's software, from its TLS hello.
    TlsJa4,
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Header(name) => write!(f, "header({name})"),
            Self::Cookie(name) => write!(f, "cookie({name})"),
            Self::Query(name) => write!(f, "query({name})"),
            Self::Path => f.write_str("path"),
            Self::Host => f.write_str("host"),
            Self::Method => f.write_str("method"),
            Self::Route => f.write_str("route"),
            Self::Connection => f.write_str("connection"),
            Self::TlsServerName => f.write_str("tls.sni"),
            Self::TlsJa4 => f.write_str("tls.ja4"),
        }
    }
}

pub(crate) const PART: Shape = Shape::Text(
    r"client|path|host|method|route|connection|tls\.sni|tls\.ja4|header\([^()]+\)|cookie\([^()]+\)|query\([^()]+\)",
);
/// What a limit's `key` may be: a word, or a list of parts.
pub(crate) const KEY: Shape =
    Shape::Either(&[Shape::Choice(&["none"]), PART, Shape::List(&PART, ONE)]);

const ALLOWED: &str = "none, client, header(NAME), cookie(NAME), query(NAME), path, host, method, route, connection, tls.sni, tls.ja4, or a list of them";

impl KeyPart {
    /// Reads a whole key: one part, a list of parts, or `none`.
    pub(crate) fn read_all(value: Cursor<'_>) -> Option<Vec<Self>> {
        if value.is_list() {
            return counted(
                value,
                unique_list(value, "part", Self::read)?,
                1,
                MOST_PARTS,
            );
        }
        if value.written() == Some("none") {
            return Some(Vec::new());
        }
        Some(vec![Self::read(value)?])
    }

    /// Reads parts with commas between them, which are part of what `value` is; at least one.
    pub(crate) fn read_parts(written: &str, value: Cursor<'_>) -> Option<Vec<Self>> {
        let parts: Vec<Self> = written
            .split(',')
            .map(|part| Self::of(part.trim(), value))
            .collect::<Option<_>>()?;
        let twice = (1..parts.len()).any(|at| parts[..at].contains(&parts[at]));
        if twice || parts.len() > MOST_PARTS {
            return value.refuse(format!("at most {MOST_PARTS} parts, each once"));
        }
        Some(parts)
    }

    fn read(value: Cursor<'_>) -> Option<Self> {
        match value.written() {
            Some(part) => Self::of(part, value),
            None => value.refuse(ALLOWED),
        }
    }

    fn of(part: &str, value: Cursor<'_>) -> Option<Self> {
        match part {
            "client" => Some(Self::Client),
            "path" => Some(Self::Path),
            "host" => Some(Self::Host),
            "method" => Some(Self::Method),
            "route" => Some(Self::Route),
            "connection" => Some(Self::Connection),
            "tls.sni" => Some(Self::TlsServerName),
            "tls.ja4" => Some(Self::TlsJa4),
            "none" => value.refuse_as("`none` in a list", "`key: none` alone"),
            _ => Self::named(part, value),
        }
    }

    fn named(part: &str, value: Cursor<'_>) -> Option<Self> {
        let call = part.strip_suffix(')').and_then(|part| part.split_once('('));
        match call {
            Some(("header", name)) => HeaderName::of(name, value).map(Self::Header),
            Some(("cookie", name)) => cookie_name(name, value).map(Self::Cookie),
            Some(("query", name)) => plain_name(name, value).map(Self::Query),
            _ => value.refuse(ALLOWED),
        }
    }

    /// Whether a request may come without this part.
    pub(crate) fn may_be_absent(&self) -> bool {
        matches!(
            self,
            Self::Header(_) | Self::Cookie(_) | Self::Query(_) | Self::TlsServerName | Self::TlsJa4
        )
    }
}

/// More than anybody needs; bounds what a request's key costs.
const MOST_PARTS: usize = 8;
