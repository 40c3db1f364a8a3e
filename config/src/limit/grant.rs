//! What a limit grants: a rate in one of its shapes, or so many requests at one time.

use floodwall_limiter::Nanos;

use super::adapt::{self, Adapt};
use super::count::{self, Count};
use crate::rate::DefaultBurst;
use crate::read::{Cursor, Fields, SHORTEST, count as number, span, text, whole_u32};
use crate::section::{COUNT, DURATION, Key, Section, Shape};
use crate::units::{BYTE_RATE_PATTERN, RATE_PATTERN, SIZE_PATTERN};
use crate::{HeaderName, Rate};

/// What a limit grants each key.
#[derive(Clone, Debug, PartialEq)]
pub enum Grant {
    Rate(Box<RateBudget>),
    /// So many requests at one time; 0 admits nothing.
    Concurrency(u32),
}

/// A rate and how it is applied. At most one of `warm_up` and `adapt`.
#[derive(Clone, Debug, PartialEq)]
pub struct RateBudget {
    pub rate: Rate,
    pub warm_up: Option<WarmUp>,
    pub adapt: Option<Adapt>,
    pub count: Count,
    /// The field of the origin's response that says what a request has cost; only with [`Count::Requests`].
    pub cost: Option<HeaderName>,
}

/// A rate that is reached only after a time of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    pub period: Nanos,
    /// A cold key has this part of the rate: 2 to 100.
    pub cold_factor: u32,
}

/// Requests that wait instead of being refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How long one may wait. Nothing: requests are spaced, and none waits.
    pub max_wait: Nanos,
    /// How many may wait at one time, over all keys.
    pub max_waiting: u32,
}

/// What a rate of the limit and of its exceptions is a rate of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Requests(DefaultBurst),
    Bytes,
    Concurrent,
}

pub(super) const MOST_CONCURRENT: u64 = 1_000_000;

/// A rate of requests, or of bytes.
pub(super) const RATE: Shape =
    Shape::Either(&[Shape::Text(RATE_PATTERN), Shape::Text(BYTE_RATE_PATTERN)]);

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "rate",
        RATE,
        "N/s, N/m, N/h, N/d or N/DURATION; SIZE/s where bytes are counted",
    ),
    Key::new(
        "burst",
        Shape::Either(&[COUNT, Shape::Text(SIZE_PATTERN)]),
        "how much at once; default one second's worth, at least 1; 1 beside `queue`",
    ),
    Key::new(
        "concurrency",
        Shape::Whole {
            min: 0,
            max: MOST_CONCURRENT,
        },
        "how many at one time, instead of a rate",
    ),
    Key::new(
        "warm_up",
        Shape::Section(&WARM_UP),
        "a rate that is reached only after a time of use",
    ),
    Key::new(
        "adapt",
        Shape::Section(&adapt::SECTION),
        "a rate that follows the memory in use",
    ),
    Key::new(
        "count",
        count::SHAPE,
        "requests, bytes, bytes_in, bytes_out or responses; default requests",
    ),
    Key::new(
        "cost",
        Shape::Section(&COST),
        "what a request costs, from its response",
    ),
    Key::new(
        "queue",
        Shape::Section(&QUEUE),
        "requests wait instead of being refused",
    ),
];

static WARM_UP: Section = Section {
    name: "limits.NAME.warm_up",
    keys: &[
        Key::required(
            "period",
            DURATION,
            "from cold to the full rate, such as 10s",
        ),
        Key::new(
            "cold_factor",
            Shape::Whole {
                min: 2,
                max: MOST_FACTOR,
            },
            "a cold key has this part of the rate; default 3",
        ),
    ],
    one_of: &[],
};

static QUEUE: Section = Section {
    name: "limits.NAME.queue",
    keys: &[
        Key::required("max_wait", DURATION, "how long one may wait, such as 500ms"),
        Key::new("max_waiting", COUNT, "how many may wait; default 1000"),
    ],
    one_of: &[],
};

static COST: Section = Section {
    name: "limits.NAME.cost",
    keys: &[Key::required(
        "response_header",
        Shape::Text(crate::header::HEADER_NAME_PATTERN),
        "the field of the origin's response that says it; the client does not get it",
    )],
    one_of: &[],
};

const MOST_FACTOR: u64 = 100;
const MOST_WAITING: u64 = 1_000_000;

impl RateBudget {
    /// What stands beside the rate: each key, and words that are others when its value is.
    pub(crate) fn shapes(&self) -> [(&'static str, String); 4] {
        [
            ("warm_up", format!("{:?}", self.warm_up)),
            ("adapt", format!("{:?}", self.adapt)),
            ("count", format!("{:?}", self.count)),
            ("cost", format!("{:?}", self.cost)),
        ]
    }
}

impl Grant {
    /// The rate, unless this is a number at one time.
    pub fn rate(&self) -> Option<&Rate> {
        match self {
            Self::Rate(budget) => Some(&budget.rate),
            Self::Concurrency(_) => None,
        }
    }

    /// Reads the keys of [`KEYS`] but for `queue`, and what exceptions are counted in.
    pub(super) fn read(fields: &Fields<'_>, queued: bool) -> (Option<Self>, Unit) {
        let counted = fields.or("count", Count::read, Count::Requests);
        let burst = if queued {
            DefaultBurst::One
        } else {
            DefaultBurst::Second
        };
        let unit = match counted {
            _ if fields.has("concurrency") => Unit::Concurrent,
            Some(Count::Bytes(_)) => Unit::Bytes,
            _ => Unit::Requests(burst),
        };
        let concurrency = fields.optional("concurrency", whole_u32(0, MOST_CONCURRENT));
        let warm_up = fields.optional("warm_up", WarmUp::read);
        let adapt = fields.optional("adapt", |value| Adapt::read(value, burst));
        let cost = fields.optional("cost", cost);
        let rate = match unit {
            Unit::Concurrent => {
                fields.ignore(&["rate", "burst"]);
                None
            }
            Unit::Bytes => Rate::read_body(fields),
            Unit::Requests(burst) => Rate::read_with(fields, burst),
        };
        let budget = || {
            if let Some(most) = concurrency? {
                return Some(Self::Concurrency(most));
            }
            Some(Self::Rate(Box::new(RateBudget {
                rate: rate?,
                warm_up: warm_up?,
                adapt: adapt?,
                count: counted?,
                cost: cost?,
            })))
        };
        (budget(), unit)
    }
}

/// What of a limit's shapes cannot stand beside another: the one that is refused, the other, and why.
const APART: &[(&str, &str, &str)] = &[
    ("burst", "concurrency", "it belongs to a rate"),
    ("warm_up", "concurrency", "it belongs to a rate"),
    ("adapt", "concurrency", "it belongs to a rate"),
    ("count", "concurrency", "it belongs to a rate"),
    ("cost", "concurrency", "it belongs to a rate"),
    ("related", "concurrency", "it belongs to a rate"),
    ("adapt", "warm_up", "the rate has one way to change"),
    (
        "cost",
        "queue",
        "a turn is given out before its cost is known",
    ),
    (
        "related",
        "queue",
        "the load of others cannot be waited for",
    ),
    (
        "warm_up",
        "related",
        "the load of others does not warm this limit",
    ),
    (
        "adapt",
        "related",
        "the load of others is compared with a fixed rate",
    ),
    (
        "cost",
        "related",
        "the load of others is counted in requests",
    ),
];

/// What counts something other than requests has no turns, no curve and no cost.
const BY_REQUESTS: &[&str] = &["queue", "warm_up", "adapt", "cost", "related"];

/// Whether all keys mean something beside each other; reports those that do not.
pub(super) fn fits(fields: &Fields<'_>, budget: Option<&Grant>) -> bool {
    let mut fits = true;
    for (key, other, why) in APART {
        if fields.has(key) && fields.has(other) {
            let found = format!("it beside `{other}`, but {why}");
            fields.refuse::<()>(key, found, "one of the two");
            fits = false;
        }
    }
    let by_requests = !matches!(budget, Some(Grant::Rate(rate)) if rate.count != Count::Requests);
    for key in BY_REQUESTS
        .iter()
        .filter(|key| !by_requests && fields.has(key))
    {
        let found = "it beside a `count` of something else than requests";
        fields.refuse::<()>(key, found, "only with `count: requests`");
        fits = false;
    }
    fits
}

impl WarmUp {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &WARM_UP)?;
        let period = fields.required("period", span(SHORTEST));
        let factor = fields.or("cold_factor", whole_u32(2, MOST_FACTOR), 3);
        Some(Self {
            period: period?,
            cold_factor: factor?,
        })
    }
}

impl Queue {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &QUEUE)?;
        let wait = fields.required("max_wait", span(Nanos::ZERO));
        let waiting = fields.or("max_waiting", number(1, MOST_WAITING), 1000);
        Some(Self {
            max_wait: wait?,
            max_waiting: u32::try_from(waiting?).ok()?,
        })
    }
}

fn cost(value: Cursor<'_>) -> Option<HeaderName> {
    let fields = Fields::open(value, &COST)?;
    fields.required("response_header", |name| HeaderName::of(text(name)?, name))
}
