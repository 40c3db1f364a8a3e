//! `upstreams.NAME.pool`: which connections are kept for the next request.

use floodwall_limiter::Nanos;

use crate::read::{Cursor, Fields, SHORTEST, count, span};
use crate::section::{COUNT, DURATION, Key, Section, Shape};

/// Which connections to servers are kept; how long they may lie unused is [`super::UpstreamTimeouts::idle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Unused ones at one time, to all servers together; with 0 each request has its own connection.
    pub max_idle: u64,
    /// Closed once they are as old, as soon as no request uses them; none: never for that.
    pub max_age: Option<Nanos>,
    /// Closed after as many requests; none: never for that.
    pub max_requests: Option<u64>,
}

pub(super) const SHAPE: Shape = Shape::Section(&SECTION);

static SECTION: Section = Section {
    name: "upstreams.NAME.pool",
    keys: &[
        Key::new(
            "max_idle",
            COUNT,
            "unused connections at one time, 0 keeps none; default 1k",
        ),
        Key::new(
            "max_age",
            DURATION,
            "how old a connection gets; no bound by default",
        ),
        Key::new(
            "max_requests",
            COUNT,
            "on one connection; no bound by default",
        ),
    ],
    one_of: &[],
};

const MOST: u64 = 1_000_000_000;

impl Default for Pool {
    fn default() -> Self {
        Self {
            max_idle: 1_000,
            max_age: None,
            max_requests: None,
        }
    }
}

impl Pool {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let max_idle = fields.or("max_idle", count(0, MOST), Self::default().max_idle);
        let max_age = fields.optional("max_age", span(SHORTEST));
        let max_requests = fields.optional("max_requests", count(1, MOST));
        Some(Self {
            max_idle: max_idle?,
            max_age: max_age?,
            max_requests: max_requests?,
        })
    }
}
