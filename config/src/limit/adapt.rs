//! `limits.NAME.adapt`: a rate that follows the memory in use.

use crate::Rate;
use crate::rate::DefaultBurst;
use crate::read::{Cursor, Fields, share, size_between};
use crate::section::{Key, RATE, SHARE, SIZE, Section, Shape};
use crate::units::Share;

/// Another rate when memory gets short: the limit's own up to `low`, `rate` from `high` on, linear in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapt {
    pub low: Mark,
    /// Above `low` where both are of one kind.
    pub high: Mark,
    /// The rate at `high`.
    pub rate: Rate,
}

/// An amount of memory in use: of this process's cgroup, or else of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Bytes(u64),
    /// Of what there is.
    Share(Share),
}

pub(super) static SECTION: Section = Section {
    name: "limits.NAME.adapt",
    keys: &[Key::required(
        "memory",
        Shape::Section(&MEMORY),
        "low and high marks, and the rate at the high one",
    )],
    one_of: &[],
};

const MARK: Shape = Shape::Either(&[SIZE, SHARE]);

static MEMORY: Section = Section {
    name: "limits.NAME.adapt.memory",
    keys: &[
        Key::required(
            "low",
            MARK,
            "memory in use up to which `rate` holds, such as 60% or 1GiB",
        ),
        Key::required(
            "high",
            MARK,
            "memory in use from which the other rate holds, such as 90%",
        ),
        Key::required("rate", RATE, "the rate from `high` on"),
    ],
    one_of: &[],
};

impl Adapt {
    pub(super) fn read(value: Cursor<'_>, burst: DefaultBurst) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        fields.required("memory", |memory| Self::read_memory(memory, burst))
    }

    fn read_memory(value: Cursor<'_>, burst: DefaultBurst) -> Option<Self> {
        let fields = Fields::open(value, &MEMORY)?;
        let low = fields.required("low", Mark::read);
        let high = fields.required("high", Mark::read);
        let rate = fields.required("rate", |rate| Rate::read_alone_with(rate, burst));
        let adapt = Self {
            low: low?,
            high: high?,
            rate: rate?,
        };
        let fits = match (adapt.low, adapt.high) {
            (Mark::Bytes(low), Mark::Bytes(high)) => low < high,
            (Mark::Share(low), Mark::Share(high)) => low < high,
            _ => return fields.refuse("high", "a share beside a size", "both of one kind"),
        };
        if !fits {
            return fields.refuse("high", "no more than `low`", "more than `low`");
        }
        Some(adapt)
    }
}

impl Mark {
    fn read(value: Cursor<'_>) -> Option<Self> {
        if value.written().is_some_and(|text| text.ends_with('%')) {
            return share(Share::NOTHING)(value).map(Self::Share);
        }
        size_between(1, u64::MAX)(value).map(Self::Bytes)
    }
}
