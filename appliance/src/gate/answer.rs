//! What a gate answers to whom it does not let in.

use pingora_error::Result;

use super::{Gate, Refused};
use crate::refusal::{self, Answer};

/// The longest that `Retry-After` says; a sale may be months away, and clients may hold on to what they were told.
const LONGEST_WAIT: u64 = 86_400;

/// The answer out of the file, never stored by anybody on the way.
///
/// # Errors
/// When a header of the configuration cannot be written, which a checked configuration rules out.
pub fn answer(gate: &Gate, refused: Refused) -> Result<Answer> {
    let config = &gate.config;
    let response = match refused {
        Refused::Before(_) => &config.before,
        Refused::After => &config.after,
        Refused::NotDrawn | Refused::Nameless => &config.refused,
        Refused::Full => &config.full,
        Refused::Unrecorded => {
            let mut answer = refusal::plain(503, "the gate cannot record anybody at the moment")?;
            answer.header.insert_header("retry-after", 1)?;
            return Ok(answer);
        }
    };
    let mut answer = refusal::configured(response)?;
    if let Refused::Before(left) = refused
        && !answer.header.headers.contains_key("retry-after")
    {
        let seconds = left.as_secs().saturating_add(1).min(LONGEST_WAIT);
        answer.header.insert_header("retry-after", seconds)?;
    }
    if !answer.header.headers.contains_key("cache-control") {
        answer.header.insert_header("cache-control", "no-store")?;
    }
    Ok(answer)
}

impl Refused {
    /// In a word, for the log and for `explain`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before(_) => "not open yet",
            Self::After => "closed",
            Self::NotDrawn => "not drawn",
            Self::Nameless => "without the key",
            Self::Full => "full",
            Self::Unrecorded => "cannot be recorded",
        }
    }

    /// The status of the answer.
    pub fn status(self, gate: &Gate) -> u16 {
        let config = &gate.config;
        match self {
            Self::Before(_) => config.before.status,
            Self::After => config.after.status,
            Self::NotDrawn | Self::Nameless => config.refused.status,
            Self::Full => config.full.status,
            Self::Unrecorded => 503,
        }
    }
}
