//! `key`: what a limit counts by.

use std::fmt;

use crate::HeaderName;

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
        }
    }
}
