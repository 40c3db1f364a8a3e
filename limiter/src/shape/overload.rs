//! Overload protection: what is refused when there is more work than the machine can do, and what last.
//!
//! A *measure* (processor, memory, requests in flight, ...) has a *trigger*. Above it [`Strategy::Strict`] refuses
//! everything. [`Strategy::Bbr`] asks first whether refusing helps: as TCP BBR finds the bandwidth-delay product
//! of a path, the [`Window`] knows how many requests at once keep the machine as busy as it gets, and only what
//! is beyond that is refused. Routes carry a [`Priority`], which moves the trigger.

use crate::Nanos;

mod ring;
mod window;

#[cfg(not(loom))]
#[cfg(test)]
mod plant;

pub use window::{Capacity, Window};

/// How much a request matters. The least important is shed first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Critical,
}

impl Priority {
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// Above which value a measure sheds requests of this priority; none when it never does.
    ///
    /// The trigger is exact for [`Priority::Normal`]. [`Priority::Low`] is shed above four fifths of it.
    /// [`Priority::High`] is shed above six fifths of it, or, where the measure ends at `most`, half way from the
    /// trigger to there. [`Priority::Critical`] is never shed.
    pub const fn threshold(self, trigger: u64, most: Option<u64>) -> Option<u64> {
        match (self, most) {
            (Self::Low, _) => Some(fifths(trigger, 4)),
            (Self::Normal, _) => Some(trigger),
            (Self::High, Some(most)) => Some(trigger + most.saturating_sub(trigger) / 2),
            (Self::High, None) => Some(fifths(trigger, 6)),
            (Self::Critical, _) => None,
        }
    }

    /// How many of a bucket's units requests of this priority may use, when [`Priority::Normal`] may use `burst`;
    /// none when as many as they want. At least one, so that an empty bucket takes everybody.
    pub const fn burst(self, burst: u64) -> Option<u64> {
        match self.threshold(burst, None) {
            Some(0) if burst > 0 => Some(1),
            threshold => threshold,
        }
    }
}

const fn fifths(value: u64, fifths: u64) -> u64 {
    // Divided first where the product would not fit: then nobody misses the rest.
    match value.checked_mul(fifths) {
        Some(product) => product / 5,
        None => (value / 5).saturating_mul(fifths),
    }
}

/// What is done above a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Everything is refused.
    Strict,
    /// What is beyond the machine's [`Capacity`] is refused, but never a request that is alone.
    Bbr,
}

/// Whether a request is shed by a measure that stands at `value` and sheds above `threshold`.
///
/// `in_flight` is how many requests are being served without this one. `capacity` is asked for only when it
/// matters.
#[inline]
pub fn sheds(
    strategy: Strategy,
    value: u64,
    threshold: Option<u64>,
    in_flight: u64,
    capacity: impl FnOnce() -> Capacity,
) -> bool {
    let Some(threshold) = threshold else {
        return false;
    };
    if value <= threshold {
        return false;
    }
    match strategy {
        Strategy::Strict => true,
        Strategy::Bbr => in_flight >= 1 && in_flight >= capacity().concurrency(),
    }
}

/// How long to stay away from a machine that is overloaded: about the time that its measures are smoothed over.
pub const RETRY_AFTER: Nanos = Nanos::SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: u64 = 1_000_000;

    #[test]
    fn the_least_important_is_shed_first_and_the_critical_never() {
        let at = |priority: Priority| priority.threshold(900_000, Some(WHOLE));
        assert_eq!(
            Priority::ALL.map(at),
            [Some(720_000), Some(900_000), Some(950_000), None]
        );
        let at = |priority: Priority| priority.threshold(4_000, None);
        assert_eq!(
            Priority::ALL.map(at),
            [Some(3_200), Some(4_000), Some(4_800), None]
        );
    }

    #[test]
    fn thresholds_at_the_ends_neither_wrap_nor_cross() {
        for trigger in [0, 1, 4, u64::MAX / 6, u64::MAX / 2, u64::MAX] {
            let [low, normal, high, critical] =
                Priority::ALL.map(|priority| priority.threshold(trigger, None));
            assert!(low <= normal && normal <= high, "{trigger}");
            assert_eq!((normal, critical), (Some(trigger), None));
        }
        assert_eq!(Priority::High.threshold(WHOLE, Some(WHOLE)), Some(WHOLE));
        assert_eq!(Priority::Low.burst(1), Some(1));
        assert_eq!(Priority::Low.burst(0), Some(0));
    }

    fn capacity(per_second: u64, least: Nanos) -> Capacity {
        Capacity {
            completed_per_second: per_second,
            least_response_time: least,
        }
    }

    #[test]
    fn strict_refuses_above_the_trigger_and_not_at_it() {
        let sheds = |value| sheds(Strategy::Strict, value, Some(10), 0, || unreachable!());
        assert!(!sheds(10));
        assert!(sheds(11));
    }

    #[test]
    fn bbr_refuses_only_what_is_beyond_the_capacity() {
        // 200 a second of 20 ms each: four at once keep it busy.
        let knee = || capacity(200, Nanos::from_millis(20));
        let sheds_at = |in_flight| sheds(Strategy::Bbr, 11, Some(10), in_flight, knee);
        assert_eq!(
            [0, 1, 3, 4, 5].map(sheds_at),
            [false, false, false, true, true]
        );
        assert!(!sheds(Strategy::Bbr, 10, Some(10), 100, knee));
    }

    #[test]
    fn bbr_lets_one_through_though_nothing_was_ever_completed() {
        let unknown = || capacity(0, Nanos::ZERO);
        assert!(!sheds(Strategy::Bbr, 11, Some(10), 0, unknown));
        assert!(sheds(Strategy::Bbr, 11, Some(10), 1, unknown));
    }
}
