//! Memory-adaptive rates: one rate while memory is plenty, another when it is short, linear in between, as
//! Sentinel's `MemoryAdaptive`.

use crate::{Nanos, Quota};

/// Two quotas and the marks between which one becomes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAdaptive<M> {
    /// Up to here `at_low` holds.
    pub low: M,
    /// From here `at_high` holds.
    pub high: M,
    pub at_low: Quota,
    pub at_high: Quota,
}

const WHOLE: u128 = 1_000_000;

impl<M: Copy + Into<u64>> MemoryAdaptive<M> {
    /// The quota with so much memory in use, in the unit of the marks.
    pub fn quota(&self, used: u64) -> Quota {
        let (low, high) = (self.low.into(), self.high.into());
        if used <= low || high <= low {
            return self.at_low;
        }
        if used >= high {
            return self.at_high;
        }
        let way = u128::from(used - low) * WHOLE / u128::from(high - low);
        let rest = WHOLE - way;
        let (low, high) = (Line::of(self.at_low), Line::of(self.at_high));
        // Rates are what is linear: so many units of a common time, added, and divided out of it again.
        let rate = low.units(high) * rest + high.units(low) * way;
        if rate == 0 {
            return Quota::CLOSED;
        }
        let interval = nanos((low.time(high) * WHOLE).div_ceil(rate));
        // As a quota rounds it, for the depth is so many whole ones.
        let interval = Quota::of(interval, Nanos::ZERO).interval();
        let burst = (low.burst * rest + high.burst * way) / WHOLE;
        let depth = u128::from(interval.0).saturating_mul(burst.max(1));
        Quota::of(interval, nanos(depth))
    }
}

/// A rate as one unit an interval, or none at all.
#[derive(Clone, Copy)]
struct Line {
    interval: u128,
    burst: u128,
}

impl Line {
    fn of(quota: Quota) -> Self {
        Self {
            interval: if quota.burst() == 0 {
                0
            } else {
                quota.interval().0.into()
            },
            burst: quota.burst().into(),
        }
    }

    /// A time that is a whole number of intervals of both; of one where the other is closed.
    fn time(self, other: Self) -> u128 {
        self.interval.max(1) * other.interval.max(1)
    }

    /// How many units come in that time.
    fn units(self, other: Self) -> u128 {
        if self.interval == 0 {
            return 0;
        }
        other.interval.max(1)
    }
}

fn nanos(number: u128) -> Nanos {
    Nanos(u64::try_from(number).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn a_second(count: u64, burst: u64) -> Quota {
        Quota::new(count, Nanos::SECOND, burst)
    }

    fn adaptive(at_low: Quota, at_high: Quota) -> MemoryAdaptive<u64> {
        MemoryAdaptive {
            low: 1000,
            high: 3000,
            at_low,
            at_high,
        }
    }

    #[test]
    fn one_rate_below_another_above_and_a_line_between() {
        let adaptive = adaptive(a_second(100, 100), a_second(20, 20));
        for (used, rate) in [
            (0, 100),
            (1000, 100),
            (1500, 80),
            (2000, 60),
            (2500, 40),
            (3000, 20),
            (u64::MAX, 20),
        ] {
            let quota = adaptive.quota(used);
            let expected = a_second(rate, rate);
            assert!(
                quota.interval().0.abs_diff(expected.interval().0) <= 2,
                "{used}: {quota:?}"
            );
            assert_eq!(quota.burst(), expected.burst(), "{used}");
        }
    }

    #[test]
    fn nothing_at_the_high_mark_is_approached_and_reached() {
        let adaptive = adaptive(a_second(100, 1), Quota::CLOSED);
        assert_eq!(adaptive.quota(2000).interval(), Nanos::from_millis(20));
        assert_eq!(adaptive.quota(2980).interval(), Nanos::SECOND);
        assert_eq!(adaptive.quota(3000), Quota::CLOSED);
    }

    #[test]
    fn the_slowest_and_the_fastest_rate_do_not_overflow() {
        let slowest = Quota::new(1, Nanos::from_secs(365 * 86_400), 1);
        let adaptive = adaptive(slowest, a_second(Quota::MAX_RATE, 1_000_000));
        for used in (1000..=3000).step_by(100) {
            let quota = adaptive.quota(used);
            assert!(quota.interval() <= slowest.interval() && quota.burst() >= 1);
        }
    }
}
