//! Limits that are counted by the timer's ticks instead of the exact clock.
//!
//! The exact clock is half of what a packet with a limit costs; the last tick is a load. It is some milliseconds
//! behind, and a moment which is known only so is taken for the latest that it may be: nothing is paid back
//! before its time. What a key may owe is less by as much, so that it is never admitted beyond its quota. That
//! costs a burst up to one percent, which is why small ones are counted exactly.

use floodwall_limiter::{Nanos, Quota};
use nix::time::{ClockId, clock_getres};

use crate::PacketLimit;

/// How far the kernel's coarse clock may be behind the present: the tick that is under way, the one that another
/// CPU has counted and not yet made known, and half of one for a timer that is late.
///
/// Zero, so that nothing is counted by ticks, where the kernel does not tell their length. A machine that is stopped
/// for longer than this may admit what it would have paid back meanwhile, once.
pub fn lag() -> Nanos {
    clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map_or(Nanos::ZERO, |tick| {
        let tick = std::time::Duration::from(tick);
        Nanos::from(tick * 5 / 2)
    })
}

/// A quota loses at most one part in so many to being counted by ticks.
const PART: u64 = 100;

/// A burst of fewer units is counted exactly, so that one unit more or less is nothing to it.
const LARGE: u64 = 10 * PART;

/// The limits as they are counted, and those, by bit, that have to be exact and are as they were.
pub(crate) fn fit_all(limits: &[PacketLimit], lag: Nanos) -> (Vec<PacketLimit>, u32) {
    let mut exact = 0;
    let limits = limits.iter().enumerate().map(|(index, limit)| {
        fit(limit, lag).unwrap_or_else(|| {
            exact |= 1 << index;
            limit.clone()
        })
    });
    (limits.collect(), exact)
}

/// The limit as it is counted by ticks; `None` when it has to be exact.
fn fit(limit: &PacketLimit, lag: Nanos) -> Option<PacketLimit> {
    let fit = |quota| shorten(quota, lag);
    let exceptions = limit.exceptions.iter();
    let exceptions = exceptions.map(|(net, quota)| match quota {
        Some(quota) => Some((*net, Some(fit(*quota)?))),
        None => Some((*net, None)),
    });
    Some(PacketLimit {
        quota: fit(limit.quota)?,
        exceptions: exceptions.collect::<Option<_>>()?,
        ..limit.clone()
    })
}

fn shorten(quota: Quota, lag: Nanos) -> Option<Quota> {
    if quota == Quota::CLOSED {
        return Some(quota);
    }
    let is_large = quota.depth().0 / PART >= lag.0 && quota.burst() >= LARGE;
    (lag > Nanos::ZERO && is_large).then(|| quota.shallower(lag))
}

#[cfg(test)]
mod tests {
    use floodwall_limiter::gcra::{Step, step};
    use proptest::prelude::*;

    use super::*;
    use crate::PacketKey;

    const LAG: Nanos = Nanos::from_millis(10);

    #[test]
    fn the_kernel_tells_how_long_a_tick_is() {
        let lag = lag();
        assert!(lag >= Nanos::from_millis(1), "{lag:?}");
        assert!(lag <= Nanos::from_millis(25), "{lag:?}");
    }

    fn limit(count: u64, burst: u64) -> PacketLimit {
        let quota = Quota::new(count, Nanos::SECOND, burst);
        PacketLimit::new("one", PacketKey::Source, quota)
    }

    #[test]
    fn small_bursts_and_short_ones_are_exact() {
        assert!(fit(&limit(1000, 1000), LAG).is_some());
        assert!(fit(&limit(100, 100), LAG).is_none(), "small");
        assert!(fit(&limit(2000, 1000), LAG).is_none(), "short");
        assert!(fit(&limit(1000, 1000), Nanos::ZERO).is_none(), "no ticks");
    }

    #[test]
    fn one_small_exception_makes_the_limit_exact() {
        let mut limit = limit(1000, 1000);
        let net = "192.0.2.0/24".parse().unwrap();
        limit.exceptions = vec![(net, None), (net, Some(Quota::CLOSED))];
        let fitted = fit(&limit, LAG).unwrap();
        assert_eq!(fitted.exceptions, limit.exceptions);
        let small = Quota::new(5, Nanos::SECOND, 5);
        limit.exceptions.push((net, Some(small)));
        assert_eq!(fit(&limit, LAG), None);
    }

    /// How many of the packets that come at these times are admitted by a clock, and by a quota.
    fn admitted(quota: Quota, times: &[(u64, u64)], clock: fn(&(u64, u64)) -> u64) -> Vec<u64> {
        let mut tat = Nanos::ZERO;
        let mut admitted = Vec::new();
        for time in times {
            if let Step::Admit { tat: next } = step(tat, quota, Nanos(clock(time)), 1) {
                tat = next;
                admitted.push(time.0);
            }
        }
        admitted
    }

    proptest! {
        /// Each packet comes at a time, which the coarse clock shows late by anything up to the lag.
        #[test]
        fn ticks_never_admit_more_than_the_quota_and_hardly_less(
            rate in 1000..100_000_u64,
            gaps in prop::collection::vec((0..40_000_u64, 0..10_000_000_u64), 1500..4000),
        ) {
            let exact = Quota::new(rate, Nanos::SECOND, rate);
            let by_ticks = shorten(exact, LAG).unwrap();
            let mut now = 1_000_000_000;
            let mut shown = 0;
            let times: Vec<(u64, u64)> = gaps.iter().map(|(gap, behind)| {
                now += gap * 1000 / rate * 1000;
                shown = shown.max(now - behind);
                (now, shown)
            }).collect();
            let most = admitted(exact, &times, |time| time.0);
            let ours = admitted(by_ticks, &times, |time| time.1 + LAG.0);
            // The quota itself is the judge of what was admitted: it takes all of it.
            let judged: Vec<_> = ours.iter().map(|time| (*time, *time)).collect();
            prop_assert_eq!(admitted(exact, &judged, |time| time.0).len(), ours.len());
            prop_assert!(ours.len() as u64 * 100 >= most.len() as u64 * 98, "{} of {}", ours.len(), most.len());
        }
    }
}
