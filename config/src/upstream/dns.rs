//! `upstreams.NAME.dns`: how the names of servers are looked up.

use floodwall_limiter::Nanos;

use crate::read::{Cursor, Fields, SHORTEST, choice, span};
use crate::section::{DURATION, Key, Section, Shape};

/// How the names of an upstream's servers are looked up: in the background, and never while a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dns {
    /// From one look to the next; at least 1 s.
    pub refresh: Nanos,
    /// For one look.
    pub timeout: Nanos,
    pub family: Family,
}

/// Which addresses of a name are servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Any,
    V4,
    V6,
}

pub(super) static SECTION: Section = Section {
    name: "upstreams.NAME.dns",
    keys: &[
        Key::new(
            "refresh",
            DURATION,
            "how often names are looked up again; default 30s",
        ),
        Key::new("timeout", DURATION, "for one look; default 5s"),
        Key::new(
            "family",
            Shape::Choice(FAMILIES),
            "which addresses are servers; default any",
        ),
    ],
    one_of: &[],
};

const FAMILIES: &[&str] = &["any", "ipv4", "ipv6"];

impl Default for Dns {
    fn default() -> Self {
        Self {
            refresh: Nanos::from_secs(30),
            timeout: Nanos::from_secs(5),
            family: Family::Any,
        }
    }
}

impl Dns {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let default = Self::default();
        let refresh = fields.or("refresh", span(Nanos::SECOND), default.refresh);
        let timeout = fields.or("timeout", span(SHORTEST), default.timeout);
        let families = choice(FAMILIES, &[Family::Any, Family::V4, Family::V6]);
        let family = fields.or("family", families, default.family);
        Some(Self {
            refresh: refresh?,
            timeout: timeout?,
            family: family?,
        })
    }
}
