//! `upstreams.NAME.max_in_flight`: how much an upstream is asked at one time.

use floodwall_limiter::Nanos;

use crate::read::{Cursor, Fields, count, span};
use crate::section::{COUNT, DURATION, Key, Section, Shape};
use crate::units::format_duration;

/// How many requests an upstream has at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxInFlight {
    /// At least 1.
    Fixed(u64),
    /// As many as it answers without a queue of its own, found out from how long its answers take.
    Adaptive {
        /// At least 1.
        min: u64,
        /// Not less than `min`.
        max: u64,
        /// How often the time of an answer without a queue is measured; at least 1 s.
        measure_every: Nanos,
    },
}

pub(super) const SHAPE: Shape = Shape::Either(&[COUNT, Shape::Section(&SECTION)]);

static SECTION: Section = Section {
    name: "upstreams.NAME.max_in_flight",
    keys: &[Key::required(
        "adaptive",
        Shape::Section(&ADAPTIVE),
        "a limit that follows how long answers take",
    )],
    one_of: &[],
};

static ADAPTIVE: Section = Section {
    name: "upstreams.NAME.max_in_flight.adaptive",
    keys: &[
        Key::new("min", COUNT, "never less; default 4"),
        Key::new("max", COUNT, "never more; default 1000"),
        Key::new(
            "measure_every",
            DURATION,
            "how often the time without a queue is measured; default 10s",
        ),
    ],
    one_of: &[],
};

const MOST: u64 = 1_000_000_000;

impl MaxInFlight {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        if !value.is_map() {
            return count(1, MOST)(value).map(Self::Fixed);
        }
        Fields::open(value, &SECTION)?.required("adaptive", Self::adaptive)
    }

    fn adaptive(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &ADAPTIVE)?;
        let min = fields.or("min", count(1, MOST), 4);
        let max = fields.or("max", count(1, MOST), 1_000);
        let measure_every = fields.or("measure_every", span(Nanos::SECOND), Nanos::from_secs(10));
        let (min, max) = (min?, max?);
        if max < min {
            return fields.refuse(
                "max",
                format!("{max}, less than `min`"),
                format!("at least {min}"),
            );
        }
        Some(Self::Adaptive {
            min,
            max,
            measure_every: measure_every?,
        })
    }
}

impl std::fmt::Display for MaxInFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(most) => write!(f, "{most}"),
            Self::Adaptive {
                min,
                max,
                measure_every,
            } => write!(
                f,
                "adaptive from {min} to {max}, measured every {}",
                format_duration(*measure_every)
            ),
        }
    }
}
