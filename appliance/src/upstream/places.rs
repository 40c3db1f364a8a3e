//! The places of an upstream: how many requests it has at one time.

use std::sync::Arc;

use floodwall_config::MaxInFlight;
use floodwall_limiter::{
    Nanos,
    shape::{adaptive::Adaptive, gradient::Rule},
};

use super::{State, Unavailable, attempt::Outcome};

/// A bound for what an upstream has at one time.
#[derive(Debug)]
pub enum Places {
    Fixed(u64),
    Adaptive { rule: Rule, limit: Arc<Adaptive> },
}

/// One of the places, given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<State>);

/// The limit is looked at anew so often.
const EVERY: Nanos = Nanos::from_millis(100);

/// Answers may take so many times as long as without a queue before the limit falls.
const TOLERANCE: f64 = 1.5;

/// Where an adaptive limit begins.
const FIRST: u64 = 20;

impl Places {
    pub(super) fn compile(max: MaxInFlight, state: &State, now: Nanos) -> Self {
        match max {
            MaxInFlight::Fixed(most) => Self::Fixed(most),
            MaxInFlight::Adaptive {
                min,
                max,
                measure_every,
            } => {
                let rule = Rule {
                    min,
                    max,
                    tolerance: TOLERANCE,
                    every: EVERY,
                    measure_every,
                };
                let limit = state
                    .adaptive()
                    .unwrap_or_else(|| Arc::new(Adaptive::new(&rule, FIRST, now)));
                Self::Adaptive { rule, limit }
            }
        }
    }

    /// How many there are now. One that was found by other rules is kept within the present ones.
    pub fn most(&self) -> u64 {
        match self {
            Self::Fixed(most) => *most,
            Self::Adaptive { rule, limit } => limit.limit().clamp(rule.min, rule.max),
        }
    }

    pub(super) fn adaptive(&self) -> Option<&Arc<Adaptive>> {
        match self {
            Self::Fixed(_) => None,
            Self::Adaptive { limit, .. } => Some(limit),
        }
    }

    /// # Errors
    /// When all are taken.
    pub(super) fn take(&self, state: &Arc<State>) -> Result<Place, Unavailable> {
        if state.in_flight.enter(self.most()) {
            return Ok(Place(Arc::clone(state)));
        }
        if let Some(limit) = self.adaptive() {
            limit.refused();
        }
        state.counts.refused_full.one();
        Err(Unavailable::Full)
    }

    pub(super) fn answered(&self, outcome: Outcome, now: Nanos) {
        if let (Self::Adaptive { rule, limit }, Outcome::Answered { took, .. }) = (self, outcome) {
            limit.answered(rule, took, now);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.leave();
    }
}
