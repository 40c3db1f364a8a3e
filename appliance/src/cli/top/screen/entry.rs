//! Questions before something is done: whom, for how long, and whether really.

use floodwall_limiter::Nanos;

use crate::cli::{
    blocks,
    top::{feed::Deed, keys::Key},
};

/// What keys are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli::top) enum Mode {
    #[default]
    Browse,
    Help,
    /// They are letters of the filter.
    Filter,
    /// They answer a question.
    Ask(Entry),
}

/// A question, and the answer so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::top) struct Entry {
    step: Step,
    text: String,
    /// What was wrong with the last answer.
    pub complaint: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    BlockWhom,
    UnblockWhom,
    HowLong { source: String },
    Sure(Deed, String),
}

/// What came of a key.
pub(super) enum Outcome {
    Open,
    Decided(Deed),
    Dropped,
}

/// What a block lasts unless told otherwise.
const USUAL_DURATION: &str = "10m";

impl Entry {
    /// Asks how long to block a source; whom first, when no source is selected.
    pub(super) fn to_block(source: Option<String>) -> Self {
        match source {
            Some(source) => Self::new(Step::HowLong { source }, USUAL_DURATION),
            None => Self::new(Step::BlockWhom, ""),
        }
    }

    /// Asks whether to let a source in again; whom first, when none is selected.
    pub(super) fn to_unblock(source: Option<String>) -> Self {
        match source {
            Some(source) => Self::sure_to_unblock(source),
            None => Self::new(Step::UnblockWhom, ""),
        }
    }

    fn sure_to_unblock(source: String) -> Self {
        let question = format!("let {source} in again");
        Self::new(Step::Sure(Deed::Unblock { source }, question), "")
    }

    fn new(step: Step, text: &str) -> Self {
        Self {
            step,
            text: text.to_owned(),
            complaint: None,
        }
    }

    /// The question and the answer so far.
    pub(in crate::cli::top) fn prompt(&self) -> String {
        let text = &self.text;
        match &self.step {
            Step::BlockWhom => format!("block which source? {text}"),
            Step::UnblockWhom => format!("let which source in again? {text}"),
            Step::HowLong { source } => format!("block {source} for how long? {text}"),
            Step::Sure(_, question) => format!("{question}? y/n "),
        }
    }

    pub(super) fn press(mut self, key: Key) -> (Mode, Outcome) {
        self.complaint = None;
        if let Step::Sure(deed, _) = self.step {
            let outcome = match key {
                Key::Letter('y' | 'Y') => Outcome::Decided(deed),
                _ => Outcome::Dropped,
            };
            return (Mode::Browse, outcome);
        }
        match key {
            Key::Escape => return (Mode::Browse, Outcome::Dropped),
            Key::Enter => self = self.answered(),
            Key::Backspace => {
                self.text.pop();
            }
            Key::Erase => self.text.clear(),
            Key::Letter(letter) => self.text.push(letter),
            _ => {}
        }
        (Mode::Ask(self), Outcome::Open)
    }

    /// Goes on to the next question.
    fn answered(self) -> Self {
        let answer = self.text.trim().to_owned();
        match self.step {
            _ if answer.is_empty() => Self {
                complaint: Some("Escape leaves".to_owned()),
                ..self
            },
            Step::BlockWhom => Self::to_block(Some(answer)),
            Step::UnblockWhom => Self::sure_to_unblock(answer),
            Step::HowLong { ref source } => match blocks::duration(&answer) {
                Ok(duration) => Self::sure_to_block(source.clone(), duration, &answer),
                Err(complaint) => Self {
                    complaint: Some(complaint),
                    ..self
                },
            },
            Step::Sure(..) => self,
        }
    }

    fn sure_to_block(source: String, duration: Nanos, words: &str) -> Self {
        let question = format!("block {source} for {words}");
        Self::new(Step::Sure(Deed::Block { source, duration }, question), "")
    }
}
