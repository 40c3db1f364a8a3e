//! How much an upstream can be asked at one time, found out from how long its answers take.
//!
//! Envoy's adaptive concurrency measures the time without any queue by asking almost nothing for a moment, which
//! stalls everybody at regular intervals. Here that time is found by asking a little less: at the limit that this
//! keeps, half of the requests are enough to keep the upstream busy, and do not wait for each other.

use crate::Nanos;

/// What the limit is kept within, and how it moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// At least 1.
    pub min: u64,
    pub max: u64,
    /// Answers may take so many times as long as without any queue before the limit falls; more than 1 and less
    /// than 2.
    pub tolerance: f64,
    /// The limit is looked at anew so often, if there were enough answers.
    pub every: Nanos,
    /// How often the time without a queue is measured.
    pub measure_every: Nanos,
}

/// What was seen while the limit stayed as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How many answers came.
    pub answers: u64,
    /// How long they took on average.
    pub mean: Nanos,
    /// Whether requests were refused, or nearly: what an idle upstream could do cannot be told.
    pub busy: bool,
}

/// The limit and what it rests on. Pure: a sample goes in, a limit comes out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    limit: f64,
    /// How long an answer takes without any queue, in nanoseconds, as far as it is known.
    base: Option<f64>,
    phase: Phase,
    /// When the base is to be measured.
    measure_at: Nanos,
    /// Samples in a row in which answers took much longer than they should.
    far_off: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Steady,
    /// Requests of before the limit was lowered are still being answered.
    Draining,
    Measuring,
}

/// The part of the limit that is asked while the base is measured. With a tolerance below 2 that is less than what
/// fills the queue, and as much as keeps the upstream busy.
const WHILE_MEASURING: f64 = 0.5;

/// Answers that take less than so many times the base did not wait.
const UNQUEUED: f64 = 1.2;

/// The limit moves by this part of the way at a time.
const STEP: f64 = 0.2;

/// So many samples in a row that are far off mean that the upstream has changed.
const CHANGED: u32 = 3;

/// Fewer answers say nothing.
pub const FEWEST_ANSWERS: u64 = 10;

impl Rule {
    /// When the base is measured that nothing is known of yet.
    fn soon(&self) -> Nanos {
        Nanos(self.every.0.saturating_mul(10)).min(self.measure_every)
    }
}

impl Gradient {
    /// Begins with a limit of `initial`.
    pub fn new(rule: &Rule, initial: u64, now: Nanos) -> Self {
        Self {
            limit: float(initial.clamp(rule.min, rule.max)),
            base: None,
            phase: Phase::Steady,
            measure_at: now.plus(rule.soon()),
            far_off: 0,
        }
    }

    /// How many may be under way now.
    pub fn limit(&self, rule: &Rule) -> u64 {
        let limit = match self.phase {
            Phase::Steady => self.limit,
            Phase::Draining | Phase::Measuring => self.limit * WHILE_MEASURING,
        };
        whole(limit).clamp(rule.min, rule.max)
    }

    /// How long an answer takes without any queue, as far as it is known.
    pub fn base(&self) -> Option<Nanos> {
        self.base.map(|base| Nanos(whole(base)))
    }

    /// Learns from a sample.
    pub fn learn(&mut self, rule: &Rule, sample: Sample, now: Nanos) {
        if sample.answers < FEWEST_ANSWERS {
            return;
        }
        let mean = float(sample.mean.0.max(1));
        match self.phase {
            Phase::Draining => self.phase = Phase::Measuring,
            Phase::Measuring => {
                // A limit that was much too high leaves a queue even then: what is measured is nearer, not there.
                let nearer = self.base.is_some_and(|base| mean < base * 0.9);
                let pause = if nearer {
                    rule.soon()
                } else {
                    rule.measure_every
                };
                self.base = Some(mean);
                self.far_off = 0;
                self.phase = Phase::Steady;
                self.measure_at = now.plus(pause);
            }
            Phase::Steady => self.steer(rule, mean, sample.busy, now),
        }
    }

    fn steer(&mut self, rule: &Rule, mean: f64, busy: bool, now: Nanos) {
        let base = self.base.map_or(mean, |base| base.min(mean));
        self.base = Some(base);
        let gradient = (rule.tolerance * base / mean).clamp(0.5, 1.0);
        // What lets the limit grow: by a little while something waits, by a quarter while nothing does.
        let room = if mean < base * UNQUEUED {
            (self.limit * 0.25).max(1.0)
        } else {
            self.limit.sqrt() / 2.0
        };
        let wanted = self.limit * gradient + room;
        if wanted < self.limit || busy {
            let next = self.limit + (wanted - self.limit) * STEP;
            self.limit = next.clamp(float(rule.min), float(rule.max));
        }
        self.far_off = if gradient <= 0.5 { self.far_off + 1 } else { 0 };
        // Nobody waits for a queue that is not there: an upstream that is not busy shows its base anyway.
        let due = now >= self.measure_at && busy;
        if due || self.far_off >= CHANGED {
            self.phase = Phase::Draining;
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "limits and times far below 2^53"
)]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits and times: positive, and a cast saturates"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
