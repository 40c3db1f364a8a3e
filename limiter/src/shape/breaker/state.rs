//! A breaker's state in one word, so that one compare-exchange changes all of it.

use super::{Probe, Refused, Rule};
use crate::Nanos;

/// Where a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The phase that closed it tells one time of being closed from the next.
    Closed {
        phase: u16,
    },
    Open {
        until: Nanos,
    },
    HalfOpen(HalfOpen),
}

/// A breaker that tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HalfOpen {
    /// Counts the times that breakers became half-open, modulo 4,096.
    pub(super) phase: u16,
    /// Counts the batches of a phase, modulo 4.
    batch: u8,
    /// Probes of the batch that were not answered yet.
    pub(super) in_flight: u8,
    /// Probes of the phase that were answered well.
    pub(super) succeeded: u8,
    /// When the batch is given up; at most one [`TICK`] later than was asked for.
    pub(super) deadline: Nanos,
}

/// What seven bits can count, with room for those that come too late.
pub(super) const MOST_PROBES: u8 = 100;

/// Deadlines are kept to about 67 ms.
const TICK: u32 = 26;

const PHASES: u64 = 1 << 12;
const MOST: u8 = 127;

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const HALF_OPEN: u64 = 2;

impl State {
    /// The tag in the low two bits. Closed: the phase above it. Open: the time, which lasts for 146 years.
    /// Half-open: batch 2, in flight 7, succeeded 7, phase 12 and deadline 34 bits.
    pub(super) fn pack(self) -> u64 {
        match self {
            Self::Closed { phase } => u64::from(phase) << 2 | CLOSED,
            Self::Open { until } => until.0.min(u64::MAX >> 2) << 2 | OPEN,
            Self::HalfOpen(half) => {
                let ticks = half.deadline.0.div_ceil(1 << TICK).min((1 << 34) - 1);
                ticks << 30
                    | u64::from(half.phase) << 18
                    | u64::from(half.succeeded) << 11
                    | u64::from(half.in_flight) << 4
                    | u64::from(half.batch) << 2
                    | HALF_OPEN
            }
        }
    }

    pub(super) fn unpack(word: u64) -> Self {
        match word & 3 {
            CLOSED => Self::Closed {
                phase: bits(word, 2, 12),
            },
            OPEN => Self::Open {
                until: Nanos(word >> 2),
            },
            _ => Self::HalfOpen(HalfOpen {
                phase: bits(word, 18, 12),
                batch: bits(word, 2, 2).to_le_bytes()[0],
                in_flight: bits(word, 4, 7).to_le_bytes()[0],
                succeeded: bits(word, 11, 7).to_le_bytes()[0],
                deadline: Nanos(word >> 30 << TICK),
            }),
        }
    }
}

impl State {
    /// Why nothing is asked now; none when something may be.
    pub(super) fn refuses(self, rule: &Rule, now: Nanos) -> Option<Refused> {
        let retry_after = match self {
            Self::Open { until } if now < until => until.minus(now),
            // The answers of the probes decide, which is soon, or their deadline.
            Self::HalfOpen(half) if !half.wants_more(rule.probes) && now < half.deadline => {
                half.deadline.minus(now).min(Nanos::SECOND)
            }
            _ => return None,
        };
        Some(Refused { retry_after })
    }
}

/// At most sixteen bits of a word.
fn bits(word: u64, from: u32, count: u32) -> u16 {
    let low = word >> from & ((1 << count) - 1);
    u16::from_le_bytes([low.to_le_bytes()[0], low.to_le_bytes()[1]])
}

impl HalfOpen {
    /// A phase without any probe yet.
    pub(super) fn begin(phase: u64) -> Self {
        Self {
            phase: bits(phase % PHASES, 0, 12),
            batch: 0,
            in_flight: 0,
            succeeded: 0,
            deadline: Nanos::ZERO,
        }
    }

    /// Whether one more probe could be of use: those that succeeded and those under way are not enough.
    pub(super) fn wants_more(self, probes: u8) -> bool {
        u16::from(self.in_flight) + u16::from(self.succeeded) < u16::from(probes)
    }

    /// The same phase without the probes that were never answered.
    pub(super) fn next_batch(self) -> Self {
        Self {
            batch: (self.batch + 1) % 4,
            in_flight: 0,
            ..self
        }
    }

    pub(super) fn with_one_more(self, deadline: Nanos) -> Self {
        Self {
            in_flight: (self.in_flight + 1).min(MOST),
            deadline,
            ..self
        }
    }

    /// A probe that was given up may still succeed, but its place is another's.
    pub(super) fn with_success(self, probe: Probe) -> Self {
        let left = self.without(probe).unwrap_or(self);
        Self {
            succeeded: (self.succeeded + 1).min(MOST),
            ..left
        }
    }

    /// None when the probe holds no place.
    pub(super) fn without(self, probe: Probe) -> Option<Self> {
        let mine = (self.phase, self.batch) == (probe.phase, probe.batch);
        let in_flight = self.in_flight.checked_sub(1)?;
        mine.then_some(Self { in_flight, ..self })
    }

    pub(super) fn probe(self) -> Probe {
        Probe {
            phase: self.phase,
            batch: self.batch,
        }
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_packed_state_is_the_same_state(
            phase in 0_u16..4096, batch in 0_u8..4, in_flight in 0_u8..=127, succeeded in 0_u8..=127,
            ticks in 0_u64..1 << 34, until in 0_u64..1 << 62,
        ) {
            let half = HalfOpen { phase, batch, in_flight, succeeded, deadline: Nanos(ticks << TICK) };
            for state in [State::Closed { phase }, State::Open { until: Nanos(until) }, State::HalfOpen(half)] {
                prop_assert_eq!(State::unpack(state.pack()), state);
            }
        }
    }

    #[test]
    fn a_deadline_is_rounded_up() {
        let deadline = Nanos::from_secs(5);
        let half = HalfOpen::begin(1).with_one_more(deadline);
        let State::HalfOpen(back) = State::unpack(State::HalfOpen(half).pack()) else {
            panic!("it is half-open");
        };
        assert!(back.deadline >= deadline && back.deadline.minus(deadline).0 < 1 << TICK);
    }
}
