//! How long and how often something is measured, and what is made of it.

use std::time::Duration;

use anyhow::bail;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// One contender's turn.
    pub(crate) turn: Duration,
    /// Whether figures are only to show that everything works.
    pub(crate) quick: bool,
}

impl Effort {
    pub(crate) fn from_options(options: &[String]) -> anyhow::Result<Self> {
        let quick = match options {
            [] => false,
            [option] if option == "--quick" => true,
            _ => bail!("unknown option in {options:?}; there is --quick"),
        };
        let (rounds, seconds) = if quick { (3, 1) } else { (9, 3) };
        Ok(Self {
            rounds,
            turn: Duration::from_secs(seconds),
            quick,
        })
    }

    /// Lets every entrant have its turn in each round, and returns what each of them made of its turns.
    pub(crate) fn alternate<E, T>(
        self,
        entrants: &[E],
        mut turn: impl FnMut(&E) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<Vec<T>>> {
        let mut made: Vec<Vec<T>> = entrants.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (entrant, made) in entrants.iter().zip(&mut made) {
                made.push(turn(entrant)?);
            }
        }
        Ok(made)
    }
}

/// The middle of what the rounds gave; the upper one of two.
pub(crate) fn median(rounds: impl IntoIterator<Item = f64>) -> f64 {
    percentile(rounds, 50)
}

/// What so many percent of the values stay below.
pub(crate) fn percentile(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let index = sorted.len() * percent / 100;
    let last = sorted.len().saturating_sub(1);
    sorted.get(index.min(last)).copied().unwrap_or(f64::NAN)
}

/// How far the rounds lie apart: half the middle half's width, in percent of the median.
pub(crate) fn spread_percent(rounds: &[f64]) -> f64 {
    let quarter = |percent| percentile(rounds.iter().copied(), percent);
    50.0 * (quarter(75) - quarter(25)) / quarter(50)
}
