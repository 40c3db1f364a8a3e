//! How much a key may do: a rate and a burst, in the form the algorithm wants.

use crate::Nanos;

/// A rate with a burst, as GCRA counts it: what one unit costs in time, and how deep a debt may become.
///
/// Both are whole, even nanoseconds (an odd word in a cell has another meaning, see [`crate::set`]). The
/// interval is rounded up, so the rate is never over what was asked, and under it by at most
/// 2 ns an interval: 0.2 % at 1 M/s, 2 % at [`Quota::MAX_RATE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Quota {
    interval: u64,
    depth: u64,
}

const _: () = assert!(size_of::<Quota>() == 16);

impl Quota {
    /// Admits nothing, from the first request on.
    pub const CLOSED: Self = Self {
        interval: 2,
        depth: 0,
    };

    /// The highest rate that is kept within 2 %, in units a second.
    pub const MAX_RATE: u64 = 10_000_000;

    /// Allows `count` units every `per`, and `burst` of them at once. A count or a burst of zero admits nothing.
    ///
    /// A debt deeper than 292 years is cut to that.
    pub const fn new(count: u64, per: Nanos, burst: u64) -> Self {
        if count == 0 || burst == 0 {
            return Self::CLOSED;
        }
        let interval = even_up(per.0.div_ceil(count));
        let interval = if interval == 0 { 2 } else { interval };
        let depth = interval.saturating_mul(burst);
        let depth = if depth > MAX_DEPTH { MAX_DEPTH } else { depth };
        Self { interval, depth }
    }

    /// Puts together what one unit costs and how deep a debt may become: the interval is rounded up, the depth
    /// down. A depth below one interval admits nothing.
    pub const fn of(interval: Nanos, depth: Nanos) -> Self {
        let interval = even_up(interval.0);
        let depth = depth.0 & !1;
        Self {
            interval: if interval == 0 { 2 } else { interval },
            depth: if depth > MAX_DEPTH { MAX_DEPTH } else { depth },
        }
    }

    /// The same rate with room for a debt that is deeper by `span`.
    #[must_use]
    pub const fn deeper(self, span: Nanos) -> Self {
        Self::of(self.interval(), self.depth().plus(span))
    }

    /// The same rate with less room for debt, by `span`.
    #[must_use]
    pub const fn shallower(self, span: Nanos) -> Self {
        Self::of(self.interval(), self.depth().minus(span))
    }

    /// The time one unit costs.
    pub const fn interval(self) -> Nanos {
        Nanos(self.interval)
    }

    /// The deepest debt that is admitted: `burst` intervals.
    pub const fn depth(self) -> Nanos {
        Nanos(self.depth)
    }

    /// The same budget in units of `parts` of 2^`shift` of this one's: what something costs that is no whole unit.
    ///
    /// The price is rounded up, so the rate is never over. With at most 2^20 parts it is exact to two nanoseconds
    /// for units of up to 2^43 ns (2.4 hours), and rounded up by one part in 2^33 beyond.
    #[must_use]
    #[inline(always)]
    pub const fn of_parts(self, parts: u64, shift: u32) -> Self {
        let parts = if parts < MOST_PARTS {
            parts
        } else {
            MOST_PARTS
        };
        // No product of 64 by 64 bits: the kernel's program has none.
        let interval = if self.interval < LONGEST_EXACT {
            ((self.interval * parts) + (1 << shift) - 1) >> shift
        } else if self.interval < LONGEST_EXACT << shift {
            ((self.interval + (1 << shift) - 1) >> shift) * parts
        } else {
            MAX_DEPTH
        };
        Self {
            interval: even_up(interval),
            depth: self.depth,
        }
    }

    /// How many units fit into the bucket at once.
    pub const fn burst(self) -> u64 {
        self.depth / self.interval
    }

    /// How many more units a key with this `debt` may spend at once.
    pub const fn remaining(self, debt: Nanos) -> u64 {
        // A charge at an odd nanosecond is a debt of one more than its price.
        (self.depth + 1).saturating_sub(debt.0) / self.interval
    }
}

const MOST_PARTS: u64 = 1 << 20;
const LONGEST_EXACT: u64 = 1 << 43;
const MAX_DEPTH: u64 = (u64::MAX >> 1) & !1;

#[inline(always)]
const fn even_up(nanos: u64) -> u64 {
    nanos.saturating_add(nanos & 1) & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_the_interval_up_so_that_the_rate_is_never_over() {
        for rate in [1, 3, 7, 50, 999, 1_000_000, 3_333_333, Quota::MAX_RATE] {
            let quota = Quota::new(rate, Nanos::SECOND, 1);
            let charged = rate * quota.interval().0;
            assert!(charged >= 1_000_000_000, "{rate}/s is over");
            assert!(charged <= 1_020_000_000, "{rate}/s is under by 2 %");
        }
    }

    #[test]
    fn nothing_an_hour_is_nothing() {
        assert_eq!(Quota::new(0, Nanos::from_secs(3600), 10), Quota::CLOSED);
        assert_eq!(Quota::CLOSED.remaining(Nanos::ZERO), 0);
    }

    #[test]
    fn parts_are_put_together_on_the_safe_side() {
        let quota = Quota::of(Nanos(3), Nanos(9));
        assert_eq!((quota.interval(), quota.depth()), (Nanos(4), Nanos(8)));
        assert_eq!(Quota::of(Nanos::ZERO, Nanos::MAX).depth().0, MAX_DEPTH);
        let (a, b) = (
            Quota::new(10, Nanos::SECOND, 1),
            Quota::new(10, Nanos::SECOND, 6),
        );
        assert_eq!(a.deeper(Nanos::from_millis(500)), b);
        assert_eq!(b.shallower(Nanos::from_millis(500)), a);
    }

    #[test]
    fn parts_of_a_unit_cost_their_share_rounded_up() {
        let quota = Quota::new(1000, Nanos::SECOND, 5);
        for (parts, price) in [
            (1024, 1_000_000),
            (512, 500_000),
            (1, 978),
            (2048, 2_000_000),
        ] {
            assert_eq!(quota.of_parts(parts, 10).interval().0, price, "{parts}");
            assert_eq!(quota.of_parts(parts, 10).depth(), quota.depth());
        }
        for interval in [
            2,
            1 << 40,
            (1 << 43) - 2,
            1 << 43,
            1 << 50,
            1 << 60,
            u64::MAX - 1,
        ] {
            let quota = Quota { interval, depth: 0 };
            for parts in [1, 60, 1514, 1 << 20] {
                let exact = (u128::from(interval) * parts).div_ceil(1024);
                let price = u128::from(
                    quota
                        .of_parts(u64::try_from(parts).unwrap(), 10)
                        .interval()
                        .0,
                );
                assert!(
                    price >= exact.min(u128::from(MAX_DEPTH)),
                    "{interval} {parts}"
                );
            }
        }
    }

    #[test]
    fn a_huge_burst_of_a_slow_rate_is_cut_not_wrapped() {
        let quota = Quota::new(1, Nanos::from_secs(86_400), u64::MAX);
        assert_eq!(quota.depth().0, MAX_DEPTH);
        assert!(quota.burst() > 100_000);
    }
}
