//! Rates as the file writes them, beside what the limiter counts with.

use std::fmt;

use floodwall_limiter::{Nanos, Quota};

use crate::read::{self, Cursor, Fields, count};
use crate::section::{COUNT, Key, RATE};
use crate::units::RateParts;

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
    /// The same for the limiter.
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

impl Rate {
    /// Reads the keys `rate` and `burst` of a section.
    pub(crate) fn read(fields: &Fields<'_>) -> Option<Self> {
        Self::read_under("rate", fields)
    }

    /// Reads the rate under `key` of a section, and its `burst`.
    pub(crate) fn read_under(key: &'static str, fields: &Fields<'_>) -> Option<Self> {
        let rate = fields.required(key, read::rate);
        let burst = fields.optional("burst", count(1, MOST_BURST));
        let ((text, parts), burst) = (rate?, burst?);
        let rate = Self::new(text, parts, burst);
        if rate.count > 0 && rate.quota.burst() < rate.burst {
            let found = format!("{}, which `{key}` takes centuries to give back", rate.burst);
            return fields.refuse("burst", found, format!("at most {}", rate.quota.burst()));
        }
        Some(rate)
    }

    /// Reads a rate that stands alone, with the burst that goes with it.
    pub(crate) fn read_alone(value: Cursor<'_>) -> Option<Self> {
        let (text, parts) = read::rate(value)?;
        Some(Self::new(text, parts, None))
    }

    /// A burst that is not given is one second's worth, and at least 1.
    fn new(text: String, RateParts { count, per }: RateParts, burst: Option<u64>) -> Self {
        let second = u128::from(count) * u128::from(Nanos::SECOND.0) / u128::from(per.0);
        // At most `Quota::MAX_RATE`, as every rate is.
        let second = u64::try_from(second).unwrap_or(Quota::MAX_RATE);
        let burst = if count == 0 {
            0
        } else {
            burst.unwrap_or(second.max(1))
        };
        Self {
            text,
            count,
            per,
            burst,
            quota: Quota::new(count, per, burst),
        }
    }
}
