//! Moments as files keep them: the monotonic clock starts again with the machine.

use std::time::SystemTime;

use floodwall_limiter::Nanos;

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wall {
    pub(super) now: Nanos,
    millis: u64,
}

/// Milliseconds since 1970.
pub(super) type UnixMillis = u64;

/// Two files say the same of a moment when no more than this lies between: the clocks are read one after the other, and
/// the wall's is moved a little all the time.
const ALIKE: u64 = 100;

impl Wall {
    /// The present, which is `now` on the monotonic clock.
    pub(super) fn at(now: Nanos) -> Self {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            now,
            millis: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// A moment of the monotonic clock, past or to come.
    pub(super) fn of(self, moment: Nanos) -> UnixMillis {
        let (ahead, ago) = (moment.minus(self.now), self.now.minus(moment));
        (self.millis)
            .saturating_add(ahead.0 / 1_000_000)
            .saturating_sub(ago.0 / 1_000_000)
    }

    /// How long it is until a moment; zero when it has passed.
    pub(super) fn until(self, moment: UnixMillis) -> Nanos {
        Nanos::from_millis(moment.saturating_sub(self.millis))
    }

    /// A moment on the monotonic clock; its beginning for what was before the machine started.
    pub(super) fn monotonic(self, moment: UnixMillis) -> Nanos {
        let ago = Nanos::from_millis(self.millis.saturating_sub(moment));
        self.now.plus(self.until(moment)).minus(ago)
    }
}

pub(super) fn alike(one: UnixMillis, other: UnixMillis) -> bool {
    one.abs_diff(other) < ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Wall = Wall {
        now: Nanos::from_secs(100),
        millis: 1_700_000_000_000,
    };

    #[test]
    fn moments_come_back_as_they_were() {
        for seconds in [0, 40, 100, 160, 90_000] {
            let moment = Nanos::from_secs(seconds);
            assert_eq!(WALL.monotonic(WALL.of(moment)), moment, "{seconds}");
        }
        assert_eq!(WALL.until(WALL.of(Nanos::from_secs(160))).0, 60_000_000_000);
        assert_eq!(WALL.until(WALL.of(Nanos::from_secs(40))), Nanos::ZERO);
    }

    #[test]
    fn what_was_before_the_machine_started_is_at_its_beginning() {
        assert_eq!(WALL.monotonic(0), Nanos::ZERO);
        assert_eq!(WALL.monotonic(u64::MAX), Nanos::MAX);
    }
}
