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
    let (next, debt) = if tat.0 > now.0 {
        let next = tat.0.saturating_add(price);
        (next, next - now.0)
    } else {
        // Even, as every time in a cell: an odd clock rounds up, which costs the key one nanosecond.
        let start = now.0.saturating_add(now.0 & 1);
        (start.saturating_add(price), price)
    };
    if next >= MAX_TIME {
        return Step::Refuse {
            retry_after: Nanos::MAX,
        };
    }
    if debt > quota.depth().0 {
        return Step::Refuse {
            retry_after: Nanos(debt - quota.depth().0),
        };
    }
    Step::Admit { tat: Nanos(next) }
}

/// The last even nanosecond: no state is ever charged to this or beyond.
const MAX_TIME: u64 = u64::MAX - 1;

#[cfg(test)]
mod tests {
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
}
