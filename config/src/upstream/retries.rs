//! `upstreams.NAME.retries`: what is tried again.

use std::fmt;

use crate::StatusRange;
use crate::read::{Cursor, Fields, choice, counted, share, unique_list, whole_u32};
use crate::section::{Key, ONE, SHARE, Section, Shape};
use crate::units::Share;

/// What is tried again, and how much of the load that may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many more times a request is tried after the first; 0 tries no more.
    pub attempts: u32,
    /// What failed; at least one, each once.
    pub on: Vec<RetryOn>,
    /// Whether requests that were sent are tried again whatever their method; else only idempotent ones
    /// (RFC 9110, 9.2.2). A connection that could not be opened is always tried again: nothing was sent.
    pub any_method: bool,
    /// For requests that were sent. None: as many as there are attempts.
    pub budget: Option<Budget>,
}

/// Why a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryOn {
    /// The connection could not be opened.
    Connect,
    /// The connection broke off before an answer came.
    Reset,
    /// No answer came within the upstream's `read` timeout.
    Timeout,
    /// The answer had such a status.
    Status(StatusRange),
}

/// How much of an upstream's load retries may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Of the requests of the last ten seconds.
    pub share: Share,
    /// Retries a second beside the share.
    pub min_per_second: u32,
}

pub(super) static SECTION: Section = Section {
    name: "upstreams.NAME.retries",
    keys: &[
        Key::new(
            "attempts",
            Shape::Whole { min: 0, max: 10 },
            "tries after the first; default 1",
        ),
        Key::new(
            "on",
            Shape::List(
                &Shape::Either(&[
                    Shape::Choice(FAILURES),
                    Shape::Whole { min: 400, max: 599 },
                    Shape::Text("[45]xx"),
                ]),
                ONE,
            ),
            "what failed; default [connect]",
        ),
        Key::new(
            "methods",
            Shape::Choice(METHODS),
            "which requests are sent again; default idempotent",
        ),
        Key::new(
            "budget",
            Shape::Either(&[
                Shape::Choice(&["unlimited"]),
                SHARE,
                Shape::Section(&BUDGET),
            ]),
            "how much of the load may be requests that are sent again; default 20% and 10 a second",
        ),
    ],
    one_of: &[],
};

static BUDGET: Section = Section {
    name: "upstreams.NAME.retries.budget",
    keys: &[
        Key::required("share", SHARE, "of the requests of the last ten seconds"),
        Key::new(
            "min_per_second",
            Shape::Whole { min: 0, max: MOST },
            "retries a second beside the share; default 10",
        ),
    ],
    one_of: &[],
};

const FAILURES: &[&str] = &["connect", "reset", "timeout"];
const METHODS: &[&str] = &["idempotent", "any"];
const MOST: u64 = 1_000_000;

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 1,
            on: vec![RetryOn::Connect],
            any_method: false,
            budget: Some(Budget::default()),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            share: Share::of_millionths(200_000),
            min_per_second: 10,
        }
    }
}

impl Retries {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let default = Self::default();
        let fields = Fields::open(value, &SECTION)?;
        let attempts = fields.or("attempts", whole_u32(0, 10), default.attempts);
        let on = fields.or(
            "on",
            |list| {
                counted(
                    list,
                    unique_list(list, "reason", RetryOn::read)?,
                    1,
                    usize::MAX,
                )
            },
            default.on,
        );
        let any_method = fields.or("methods", choice(METHODS, &[false, true]), false);
        let budget = fields.or("budget", Budget::read, default.budget);
        Some(Self {
            attempts: attempts?,
            on: on?,
            any_method: any_method?,
            budget: budget?,
        })
    }

    /// Whether an answer of this status is worth another try.
    pub fn on_status(&self, status: u16) -> bool {
        self.on
            .iter()
            .any(|on| matches!(on, RetryOn::Status(range) if range.contains(status)))
    }
}

impl RetryOn {
    fn read(value: Cursor<'_>) -> Option<Self> {
        if let Some(range) = StatusRange::of(value) {
            // What went well, and what another request would be told as well, is no failure.
            if range.first < 400 {
                return value.refuse(ALLOWED);
            }
            return Some(Self::Status(range));
        }
        match value.written() {
            Some("connect") => Some(Self::Connect),
            Some("reset") => Some(Self::Reset),
            Some("timeout") => Some(Self::Timeout),
            _ => value.refuse(ALLOWED),
        }
    }
}

impl fmt::Display for RetryOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Reset => f.write_str("reset"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(range) => range.fmt(f),
        }
    }
}

const ALLOWED: &str = "connect, reset, timeout, a status from 400 to 599, 4xx, 5xx";

impl Budget {
    /// The inner None is `unlimited`.
    #[expect(clippy::option_option, reason = "wrong, unlimited, or a budget")]
    fn read(value: Cursor<'_>) -> Option<Option<Self>> {
        if value.written() == Some("unlimited") {
            return Some(None);
        }
        if !value.is_map() {
            let share = share(Share::NOTHING)(value)?;
            return Some(Some(Self {
                share,
                ..Self::default()
            }));
        }
        let fields = Fields::open(value, &BUDGET)?;
        let share = fields.required("share", share(Share::NOTHING));
        let least = fields.or(
            "min_per_second",
            whole_u32(0, MOST),
            Self::default().min_per_second,
        );
        Some(Some(Self {
            share: share?,
            min_per_second: least?,
        }))
    }
}
