//! Warm-up: a key that was idle is let in slowly at first, along the curve of Sentinel's `WarmUp`.
//!
//! Sentinel keeps tokens that idleness stores: the more are stored, the colder the key, and the longer each
//! admission takes. Here the same is kept the other way round, as **warmth**: what is missing from the store
//! above its warning line, as a time. A cold key has none, so a key without a cell is a cold key: forgetting a
//! warmth never admits more. Each admission adds the time that one takes at the full rate, up to the span in
//! which the curve runs from cold to warm. At the start of each window the time that has passed is taken off,
//! unless the last window had admitted as many as a cold key may: Sentinel's rule, with a tolerance of an eighth,
//! because a clock and a client never agree to the nanosecond.
//!
//! All of it is integer arithmetic on times: there is nothing to divide by zero and nothing to wrap, however
//! small `period * rate` is.

use crate::{Nanos, Quota};

/// A rate that is reached only after a warm-up.
///
/// Charges at the rate of the moment and [`WarmUp::admitted`] are two steps: threads that come between see the
/// warmth of a moment ago, which is never warmer by it. A warmth is kept in a cell's time word, see [`Level`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// What one unit costs a warm key.
    interval: Nanos,
    /// What it costs a cold one beyond that.
    extra: Nanos,
    /// The deepest debt beyond one unit, of a warm key.
    slack: Nanos,
    /// The warmth of a key at its full rate.
    span: Nanos,
    /// The time over which admissions are counted.
    window: Nanos,
    closed: bool,
}

/// What a time word says of a key: how warm it was at the start of the window that it was last admitted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    warmth: Nanos,
    /// The number of the window, from the start of the clock.
    window: u64,
    /// How much of the window's cold budget was used, in [`FULL`]ths, up to [`MOST_USED`].
    used: u64,
}

// A word: when it means nothing any more to 65 us (bits 16 and up), the window's number modulo 32, what was used.
const GRAIN: u64 = 1 << 16;
const WINDOWS: u64 = 32;
const MOST_USED: u64 = (1 << 10) - 1;
const FULL: u64 = 512;
/// So much of the cold budget keeps a key from cooling: seven eighths.
const BUSY: u64 = FULL / 8 * 7;
/// Intervals of a cold key in a window, at least: a slower rate has longer windows than a second.
const COLD_IN_WINDOW: u64 = 4;
/// A word outlives its warmth by so many windows, so that what was used is not forgotten within its own.
const OUTLIVES: u64 = 2;

impl WarmUp {
    /// Reaches the rate of `quota` after `period` of full use, and starts at the `cold_factor`th part of it.
    ///
    /// A factor below 2 is taken for 2: at 1 there is nothing to warm up.
    pub fn new(quota: Quota, period: Nanos, cold_factor: u32) -> Self {
        let factor = u64::from(cold_factor.max(2));
        let interval = quota.interval();
        let cold = times(interval, factor);
        Self {
            interval,
            extra: cold.minus(interval),
            slack: quota.depth().minus(interval),
            span: Nanos(times(period, 2).0 / (1 + factor)).max(Nanos(1)),
            window: Nanos::SECOND.max(times(cold, COLD_IN_WINDOW)),
            closed: quota == Quota::CLOSED,
        }
    }

    /// The quota of a key with this time word. What a cold key may do at once is one unit; a warm one has the
    /// whole burst.
    pub fn quota(&self, word: Nanos, now: Nanos) -> Quota {
        if self.closed {
            return Quota::CLOSED;
        }
        let warmth = self.level(word, now).warmth;
        let cold = self.span.minus(warmth);
        let interval = self.interval.plus(part(self.extra, cold, self.span));
        Quota::of(interval, Quota::of(interval, Nanos::ZERO).interval())
            .deeper(part(self.slack, warmth, self.span))
    }

    /// The time word after one more was admitted: even, and beyond `now`.
    pub fn admitted(&self, word: Nanos, now: Nanos) -> Nanos {
        let level = self.level(word, now);
        let cold = self.interval.plus(self.extra);
        let share = dithered(u128::from(cold.0) * u128::from(FULL), self.window.0, now);
        self.word(
            Level {
                warmth: level.warmth.plus(self.interval).min(self.span),
                window: level.window,
                used: level.used.saturating_add(share).min(MOST_USED),
            },
            now,
        )
    }

    /// How warm a key is, from 0 (cold) to 1,000 (at its full rate).
    pub fn permille(&self, word: Nanos, now: Nanos) -> u64 {
        part(Nanos(1000), self.level(word, now).warmth, self.span).0
    }

    /// What a word says as of the window that `now` is in.
    fn level(&self, word: Nanos, now: Nanos) -> Level {
        let window = now.0 / self.window.0;
        let cold = Level {
            warmth: Nanos::ZERO,
            window,
            used: 0,
        };
        if word <= now {
            return cold;
        }
        let number = word.0 >> 11 & (WINDOWS - 1);
        let ago = (window % WINDOWS + WINDOWS - number) % WINDOWS;
        let start = times(self.window, window.saturating_sub(ago));
        let meaningless_at = Nanos(word.0 & !(GRAIN - 1));
        let warmth = meaningless_at
            .minus(start)
            .minus(times(self.window, OUTLIVES))
            .min(self.span);
        let used = word.0 >> 1 & MOST_USED;
        if ago == 0 {
            return Level {
                warmth,
                window,
                used,
            };
        }
        // The window of the last admissions itself cools only a key that was not busy in it.
        let cooling = ago - u64::from(used >= BUSY);
        Level {
            warmth: warmth.minus(times(self.window, cooling)),
            ..cold
        }
    }

    fn word(&self, level: Level, now: Nanos) -> Nanos {
        let meaningless_at =
            times(self.window, level.window.saturating_add(OUTLIVES)).plus(level.warmth);
        let grains = dithered(u128::from(meaningless_at.0), GRAIN, now).min((1 << 48) - 1);
        Nanos(grains << 16 | (level.window % WINDOWS) << 11 | level.used << 1)
    }
}

fn times(span: Nanos, factor: u64) -> Nanos {
    Nanos(span.0.saturating_mul(factor))
}

/// `of * share / whole`, for a share that is no more than the whole.
fn part(of: Nanos, share: Nanos, whole: Nanos) -> Nanos {
    let part = u128::from(of.0) * u128::from(share.0) / u128::from(whole.0.max(1));
    Nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

/// `number / by`, rounded up or down so that many of them are right together. The dice are the clock's digits.
fn dithered(number: u128, by: u64, now: Nanos) -> u64 {
    let dice = now.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) % by;
    u64::try_from((number + u128::from(dice)) / u128::from(by)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
