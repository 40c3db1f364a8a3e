//! What became of the last reloads, for whoever asks later what changed when.

use std::{collections::VecDeque, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::access_log::timestamp;

/// So many are kept; the start of the process counts as one while nothing pushes it out.
const KEPT: usize = 20;

/// So many changes or problems of each; a reload may bring a thousand limits.
const LINES: usize = 50;

/// Bytes of one change or problem.
const LINE_BYTES: usize = 500;

/// The last reloads, the latest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History(VecDeque<Passage>);

/// The start of the process, or a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// RFC 3339 in UTC.
    pub at: String,
    /// The generation that ran when it was over.
    pub generation: u64,
    pub outcome: Outcome,
    /// What changed, in words; empty after a refusal. Long ones are cut.
    pub changes: Vec<String>,
    /// Why it was refused; empty otherwise. Long ones are cut.
    pub problems: Vec<String>,
    /// Changes or problems that are not kept.
    pub left_out: usize,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Started,
    Taken,
    Refused,
}

impl History {
    /// Of a process that begins with this generation.
    pub(super) fn begin(generation: u64, at: SystemTime) -> Self {
        let mut history = Self::default();
        history.keep(generation, Outcome::Started, &[], at);
        history
    }

    /// Puts what a predecessor kept before this process's own.
    pub(super) fn follow(&mut self, before: Vec<Passage>) {
        self.0.extend(before);
        self.0.truncate(KEPT);
    }

    /// Takes note of what became of a reload, with its changes or its problems.
    pub(super) fn keep(
        &mut self,
        generation: u64,
        outcome: Outcome,
        lines: &[String],
        at: SystemTime,
    ) {
        let kept: Vec<String> = lines.iter().take(LINES).map(|line| cut(line)).collect();
        let left_out = lines.len() - kept.len();
        let (changes, problems) = match outcome {
            Outcome::Refused => (Vec::new(), kept),
            Outcome::Started | Outcome::Taken => (kept, Vec::new()),
        };
        self.0.truncate(KEPT - 1);
        self.0.push_front(Passage {
            at: timestamp(at),
            generation,
            outcome,
            changes,
            problems,
            left_out,
        });
    }

    pub(super) fn all(&self) -> Vec<Passage> {
        self.0.iter().cloned().collect()
    }
}

fn cut(line: &str) -> String {
    if line.len() <= LINE_BYTES {
        return line.to_owned();
    }
    format!("{}...", &line[..line.floor_char_boundary(LINE_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_none_grows_without_bound() {
        let mut history = History::begin(1, SystemTime::UNIX_EPOCH);
        let long = ["\u{e9}".repeat(LINE_BYTES)];
        let many = vec!["a.b: 1 -> 2".to_owned(); LINES + 3];
        history.keep(1, Outcome::Refused, &long, SystemTime::UNIX_EPOCH);
        history.keep(2, Outcome::Taken, &many, SystemTime::UNIX_EPOCH);
        let all = history.all();
        assert_eq!(
            all.iter()
                .map(|passage| (passage.generation, passage.outcome))
                .collect::<Vec<_>>(),
            [
                (2, Outcome::Taken),
                (1, Outcome::Refused),
                (1, Outcome::Started)
            ]
        );
        assert_eq!((all[0].changes.len(), all[0].left_out), (LINES, 3));
        assert_eq!(all[1].problems[0].len(), LINE_BYTES + 3);
        let mut next = History::begin(1, SystemTime::UNIX_EPOCH);
        next.follow(all.clone());
        assert_eq!(next.all()[1..], all);
        for generation in 3..100 {
            history.keep(generation, Outcome::Taken, &[], SystemTime::UNIX_EPOCH);
        }
        let all = history.all();
        assert_eq!((all.len(), all[0].generation), (KEPT, 99));
        next.follow(all);
        assert_eq!(next.all().len(), KEPT);
    }
}
