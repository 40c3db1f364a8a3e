//! `server`: the process itself.

use std::num::NonZeroU16;

use floodwall_limiter::Nanos;

use crate::read::{Cursor, Fields, flag, span, whole_u16};
use crate::section::{DURATION, Key, Section, Shape};

/// How the process runs and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Threads that serve requests, 1 to 1024; as many as there are cores when absent.
    pub threads: Option<NonZeroU16>,
    /// How long requests that are under way may go on after SIGTERM.
    pub drain: Nanos,
    /// Whether a run of slashes in a path is one slash.
    pub merge_slashes: bool,
}

pub(crate) static SECTION: Section = Section {
    name: "server",
    keys: &[
        Key::new(
            "threads",
            Shape::Whole { min: 1, max: 1_024 },
            "that serve requests; default one a core",
        ),
        Key::new(
            "drain",
            DURATION,
            "for requests under way at SIGTERM; default 30s",
        ),
        Key::new(
            "merge_slashes",
            Shape::Flag,
            "whether a run of slashes in a path is one; default true",
        ),
    ],
    one_of: &[],
};

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            threads: None,
            drain: Nanos::from_secs(30),
            merge_slashes: true,
        }
    }
}

impl ServerSettings {
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let threads = fields.optional("threads", whole_u16(1, 1_024));
        let drain = fields.or("drain", span(Nanos::ZERO), Self::default().drain);
        let merge_slashes = fields.or("merge_slashes", flag, Self::default().merge_slashes);
        Some(Self {
            threads: threads?.and_then(NonZeroU16::new),
            drain: drain?,
            merge_slashes: merge_slashes?,
        })
    }
}
