//! Rates as the file writes them, beside what the limiter counts with.

use std::fmt;

use floodwall_limiter::{Nanos, Quota};

use crate::read::{self, Cursor, Fields, bytes, count};
use crate::section::{COUNT, Key, RATE};
use crate::units::{RateParts, parse_rate};

/// A rate with its burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The rate as the file has it, such as `20/10s`.
    pub text: String,
    /// What is allowed every `per`; 0 admits nothing.
    pub count: u64,
    /// At least 1 ms.
    pub per: Nanos,
    /// What is allowed at once; 0 only when `count` is.
    pub burst: u64,
    /// The same for the limiter, where a unit is a request or a packet; bytes are counted in larger units.
    pub quota: Quota,
}

impl fmt::Display for Rate {
    /// Writes the rate as the file has it, and the burst: `50/s burst 100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} burst {}", self.text, self.burst)
    }
}

/// The keys of a section that has a rate.
pub(crate) const RATE_KEY: Key = Key::required("rate", RATE, "N/s, N/m, N/h, N/d or N/DURATION");
pub(crate) const BURST_KEY: Key = Key::new(
    "burst",
    COUNT,
    "how much at once; default one second's worth, at least 1",
);

const MOST_BURST: u64 = 1_000_000_000;

/// One Ethernet frame with a VLAN tag: with less, no full packet would ever be admitted.
const LEAST_BYTES: u64 = 1_518;
const MOST_BYTES: u64 = 1 << 40;
/// What segmentation offload puts together at the most.
const LARGEST_FRAME: u64 = 64 << 10;

/// The burst of a rate that says none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultBurst {
    /// One second's worth, and at least 1.
    Second,
    /// One: what waits for its turn is spaced.
    One,
}

impl DefaultBurst {
    fn of(self, given: Option<u64>) -> Option<u64> {
        match self {
            Self::Second => given,
            Self::One => given.or(Some(1)),
        }
    }
}

impl Rate {
    /// Reads the keys `rate` and `burst` of a section.
    pub(crate) fn read(fields: &Fields<'_>) -> Option<Self> {
        Self::read_under("rate", fields)
    }

    /// Reads the rate under `key` of a section, and its `burst`.
    pub(crate) fn read_under(key: &'static str, fields: &Fields<'_>) -> Option<Self> {
        let rate = fields.required(key, read::rate);
        let burst = fields.optional("burst", count(1, MOST_BURST));
        Self::given_back(Self::of_units(rate?, burst?), key, fields)
    }

    /// Reads the same two keys where both may be absent.
    pub(crate) fn read_or(fields: &Fields<'_>, default: &str) -> Option<Self> {
        let rate = fields.optional("rate", read::rate);
        let burst = fields.optional("burst", count(1, MOST_BURST));
        let (text, parts) = rate?.unwrap_or_else(|| Self::written(default));
        Self::given_back(Self::of_units((text, parts), burst?), "rate", fields)
    }

    /// The same in bytes, which may be written as sizes: `10MiB/s`.
    pub(crate) fn read_bytes(fields: &Fields<'_>) -> Option<Self> {
        let rate = fields.required("rate", read::byte_rate);
        let burst = fields.optional("burst", bytes(LEAST_BYTES, MOST_BYTES));
        Self::given_back(Self::of_bytes(rate?, burst?), "rate", fields)
    }

    /// Reads a rate that stands alone, with the burst that goes with it.
    pub(crate) fn read_alone(value: Cursor<'_>) -> Option<Self> {
        Some(Self::of_units(read::rate(value)?, None))
    }

    /// The same in bytes.
    pub(crate) fn read_bytes_alone(value: Cursor<'_>) -> Option<Self> {
        Some(Self::of_bytes(read::byte_rate(value)?, None))
    }

    /// Reads the keys `rate` and `burst` of a section with another default.
    pub(crate) fn read_with(fields: &Fields<'_>, default: DefaultBurst) -> Option<Self> {
        let rate = fields.required("rate", read::rate);
        let burst = fields.optional("burst", count(1, MOST_BURST));
        let rate = Self::of_units(rate?, default.of(burst?));
        Self::given_back(rate, "rate", fields)
    }

    /// Reads a rate that stands alone, with another default.
    pub(crate) fn read_alone_with(value: Cursor<'_>, default: DefaultBurst) -> Option<Self> {
        Some(Self::of_units(read::rate(value)?, default.of(None)))
    }

    /// Reads the two keys in bytes of bodies.
    pub(crate) fn read_body(fields: &Fields<'_>) -> Option<Self> {
        let rate = fields.required("rate", read::byte_rate);
        let burst = fields.optional("burst", bytes(1, MOST_BYTES));
        Some(Self::of_body(rate?, burst?))
    }

    /// Reads a rate in bytes of bodies that stands alone.
    pub(crate) fn read_body_alone(value: Cursor<'_>) -> Option<Self> {
        Some(Self::of_body(read::byte_rate(value)?, None))
    }

    /// What `units` cost, rounded up: for what is charged by more than one.
    pub fn price(&self, units: u64) -> Nanos {
        let price = u128::from(units) * u128::from(self.per.0);
        Nanos(u64::try_from(price.div_ceil(u128::from(self.count.max(1)))).unwrap_or(u64::MAX))
    }

    /// How many units come within a span, rounded down.
    pub fn units(&self, span: Nanos) -> u64 {
        let units = u128::from(span.0) * u128::from(self.count) / u128::from(self.per.0.max(1));
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// A quota of bytes would have intervals of less than a nanosecond. A body's bytes are charged by their price
    /// once they have passed: this quota only asks for any room at all.
    fn of_body((text, parts): (String, RateParts), burst: Option<u64>) -> Self {
        let burst = burst.unwrap_or(parts.in_a_second().max(1));
        let mut rate = Self::new(text, parts, burst);
        if rate.count > 0 {
            rate.quota = Quota::of(rate.price(1), rate.price(burst).max(Nanos(2)));
        }
        rate
    }

    /// A rate that stands in the code, with the burst that goes with it.
    pub(crate) fn of(text: &str) -> Self {
        Self::of_units(Self::written(text), None)
    }

    fn written(text: &str) -> (String, RateParts) {
        // Only defaults of this crate come here, and a test reads them all: none is ever replaced.
        let nothing = RateParts {
            count: 0,
            per: Nanos::SECOND,
        };
        (text.into(), parse_rate(text).unwrap_or(nothing))
    }

    /// A burst that is not given is one second's worth, and at least 1.
    fn of_units((text, parts): (String, RateParts), burst: Option<u64>) -> Self {
        let burst = burst.unwrap_or(parts.in_a_second().max(1));
        Self::new(text, parts, burst)
    }

    /// A burst that is not given is one second's worth, and at least the largest frame that a stack puts together.
    fn of_bytes((text, parts): (String, RateParts), burst: Option<u64>) -> Self {
        let burst = burst.unwrap_or(parts.in_a_second().max(LARGEST_FRAME));
        Self::new(text, parts, burst)
    }

    fn new(text: String, RateParts { count, per }: RateParts, burst: u64) -> Self {
        let burst = if count == 0 { 0 } else { burst };
        Self {
            text,
            count,
            per,
            burst,
            quota: Quota::new(count, per, burst),
        }
    }

    /// Refuses a burst that the rate would not give back while anybody lives.
    fn given_back(rate: Self, key: &str, fields: &Fields<'_>) -> Option<Self> {
        if rate.count > 0 && rate.quota.burst() < rate.burst {
            let found = format!("{}, which `{key}` takes centuries to give back", rate.burst);
            return fields.refuse("burst", found, format!("at most {}", rate.quota.burst()));
        }
        Some(rate)
    }
}
