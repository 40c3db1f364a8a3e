//! The generic cell rate algorithm as one pure step: state and clock in, verdict and next state out.
//!
//! This is the only place that decides whether a rate admits something. It is compiled into the proxy and
//! into the XDP program; the same input gives the same verdict in both.

use crate::{Nanos, Quota};

/// What one step decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Admitted; the key's theoretical arrival time is now `tat`.
    Admit { tat: Nanos },
    /// Refused, and the state stays as it was. The same cost would be admitted after `retry_after`;
    /// [`Nanos::MAX`] when it never will be.
    Refuse { retry_after: Nanos },
}

/// Charges `cost` units of `quota` to a key whose theoretical arrival time is `tat`.
///
/// A `tat` at or before `now` is a key without debt. A cost that would push the debt beyond the quota's
/// depth, or the state beyond the end of the clock, is refused.
#[inline(always)]
pub fn step(tat: Nanos, quota: Quota, now: Nanos, cost: u64) -> Step {
    let price = quota.interval().0.saturating_mul(cost);
    if price > quota.depth().0 {
        return Step::Refuse {
            retry_after: Nanos::MAX,
        };
    }
    // Neither difference wraps, and nothing is added that could: the kernel's program has no flags to ask.
    let room = quota.depth().0 - price;
    let (start, owed) = if tat.0 > now.0 {
        (tat.0, tat.0 - now.0)
    } else {
        // Even, as every time in a cell: an odd clock rounds up, which costs the key one nanosecond.
        (now.0.saturating_add(now.0 & 1), 0)
    };
    if start >= MAX_TIME - price {
        return Step::Refuse {
            retry_after: Nanos::MAX,
        };
    }
    if owed > room {
        return Step::Refuse {
            retry_after: Nanos(owed - room),
        };
    }
    Step::Admit {
        tat: Nanos(start + price),
    }
}

/// The last even nanosecond: no state is ever charged to this or beyond.
const MAX_TIME: u64 = u64::MAX - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        let quota = Quota::new(10, Nanos::SECOND, 3);
        let mut tat = Nanos::ZERO;
        let now = Nanos::from_secs(5);
        for _ in 0..3 {
            let Step::Admit { tat: next } = step(tat, quota, now, 1) else {
                panic!("within the burst")
            };
            tat = next;
        }
        assert_eq!(
            step(tat, quota, now, 1),
            Step::Refuse {
                retry_after: Nanos::from_millis(100)
            }
        );
        let later = now.plus(Nanos::from_millis(100));
        assert!(matches!(step(tat, quota, later, 1), Step::Admit { .. }));
    }

    #[test]
    fn closed_refuses_the_first_and_for_ever() {
        for now in [0, 1, u64::MAX / 2, u64::MAX] {
            assert_eq!(
                step(Nanos::ZERO, Quota::CLOSED, Nanos(now), 1),
                Step::Refuse {
                    retry_after: Nanos::MAX
                }
            );
        }
    }

    #[test]
    fn the_end_of_the_clock_refuses_instead_of_wrapping() {
        let quota = Quota::new(1, Nanos::SECOND, 5);
        for now in [u64::MAX, u64::MAX - 1, u64::MAX - 10] {
            assert_eq!(
                step(Nanos::ZERO, quota, Nanos(now), 1),
                Step::Refuse {
                    retry_after: Nanos::MAX
                }
            );
        }
    }

    /// Quotas from one a day to the highest rate, with bursts from one to beyond all reason.
    fn quotas() -> impl Strategy<Value = Quota> {
        let per = prop_oneof![
            Just(Nanos::SECOND),
            Just(Nanos::from_secs(60)),
            Just(Nanos::from_secs(86_400)),
            (1..=u64::MAX).prop_map(Nanos),
        ];
        let burst = prop_oneof![1..10_u64, 1..1_000_000_u64, Just(u64::MAX)];
        (1..=Quota::MAX_RATE, per, burst)
            .prop_map(|(count, per, burst)| Quota::new(count, per, burst))
    }

    /// The start, the middle and the very end of the clock.
    fn clocks() -> impl Strategy<Value = Nanos> {
        prop_oneof![0..1000_u64, any::<u64>(), u64::MAX - 1000..=u64::MAX].prop_map(Nanos)
    }

    fn admits(tat: Nanos, quota: Quota, now: Nanos, cost: u64) -> bool {
        matches!(step(tat, quota, now, cost), Step::Admit { .. })
    }

    proptest! {
        #[test]
        fn a_state_is_even_and_never_goes_back_nor_deeper_than_the_quota(
            tat in clocks(), quota in quotas(), now in clocks(), cost in 0..1000_u64,
        ) {
            let tat = Nanos(tat.0 & !1);
            if let Step::Admit { tat: next } = step(tat, quota, now, cost) {
                prop_assert_eq!(next.0 & 1, 0);
                prop_assert!(next >= tat && next >= now);
                prop_assert!(next.minus(now).0 <= quota.depth().0 + (now.0 & 1));
                prop_assert!(next.minus(tat).0 >= quota.interval().0 * cost);
            }
        }

        #[test]
        fn what_is_refused_is_admitted_at_retry_after_and_not_a_nanosecond_before(
            ahead in any::<u64>(), quota in quotas(), now in 0..u64::MAX / 4, cost in 1..100_u64,
        ) {
            let tat = Nanos((now + ahead % (u64::MAX / 4)) & !1);
            let now = Nanos(now);
            match step(tat, quota, now, cost) {
                Step::Refuse { retry_after } if retry_after < Nanos::MAX => {
                    prop_assert!(retry_after > Nanos::ZERO);
                    prop_assert!(admits(tat, quota, now.plus(retry_after), cost));
                    prop_assert!(!admits(tat, quota, now.plus(retry_after.minus(Nanos(1))), cost));
                }
                Step::Refuse { .. } => prop_assert!(cost > quota.burst() || tat.0 > u64::MAX / 2),
                Step::Admit { .. } => prop_assert!(cost <= quota.burst()),
            }
        }

        #[test]
        fn a_later_clock_a_smaller_cost_and_a_smaller_debt_are_never_worse(
            tat in 0..1_000_000_000_u64, quota in quotas(),
            now in 0..1_000_000_000_u64, later in 0..1000_u64, cost in 1..100_u64,
        ) {
            let (tat, now) = (Nanos(tat & !1), Nanos(now));
            if admits(tat, quota, now, cost) {
                prop_assert!(admits(tat, quota, now.plus(Nanos(later)), cost));
                prop_assert!(admits(tat, quota, now, cost - 1));
                prop_assert!(admits(tat.minus(Nanos(2 * later)), quota, now, cost));
            }
        }

        #[test]
        fn no_window_admits_more_than_its_burst_and_its_rate(
            count in 1..1_000_000_000_u64, burst in 1..20_u64,
            gaps in prop::collection::vec(0..40_u64, 1..300),
        ) {
            let quota = Quota::new(count, Nanos::SECOND, burst);
            let (mut tat, mut now, mut admitted) = (Nanos::ZERO, Nanos(1), Vec::new());
            for gap in gaps {
                now = now.plus(Nanos(gap * 1_000_000_000 / count / 10 + gap % 2));
                if let Step::Admit { tat: next } = step(tat, quota, now, 1) {
                    tat = next;
                    admitted.push(now.0);
                }
            }
            for (first, start) in admitted.iter().enumerate() {
                for (last, end) in admitted.iter().enumerate().skip(first) {
                    let most = u128::from(burst) * 1_000_000_000 + u128::from(end - start) * u128::from(count);
                    let charged = (last - first + 1) as u128 * 1_000_000_000;
                    prop_assert!(charged <= most, "{} in {} ns", last - first + 1, end - start);
                }
            }
        }

        #[test]
        fn a_closed_quota_admits_nothing_ever(tat in clocks(), now in clocks(), cost in 1..u64::MAX) {
            prop_assert!(!admits(Nanos(tat.0 & !1), Quota::CLOSED, now, cost));
        }
    }
}
