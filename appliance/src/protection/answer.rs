//! What a client is told whose request was shed: made with the generation, so that shedding costs next to nothing.

use floodwall_config as config;
use floodwall_limiter::shape::overload::RETRY_AFTER;
use pingora_error::Result;

use super::Shed;
use crate::refusal::{self, Answer};

/// One answer for each measure, as text and as JSON.
#[derive(Debug)]
pub struct Answers {
    status: u16,
    prepared: Vec<(&'static str, Prepared)>,
}

/// An answer, unless a header of the file cannot be written, which a checked file rules out.
#[derive(Debug)]
struct Prepared {
    text: Option<Answer>,
    json: Option<Answer>,
}

impl Answers {
    pub(super) fn compile(protection: &config::Protection) -> Self {
        let names = protection
            .triggers
            .iter()
            .map(|trigger| trigger.measure.name());
        let prepared = |name: &'static str| {
            let of = |wants_json| answer(&protection.reject, name, wants_json).ok();
            let (text, json) = (of(false), of(true));
            (name, Prepared { text, json })
        };
        Self {
            status: protection.reject.status,
            prepared: names.map(prepared).collect(),
        }
    }

    /// The status of all of them.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The answer to a request that was shed.
    ///
    /// # Errors
    /// When a header of the configuration cannot be written, which a checked configuration rules out.
    pub fn to(&self, shed: Shed, wants_json: bool) -> Result<Answer> {
        let prepared = self.prepared.iter().find(|(name, _)| *name == shed.by);
        let prepared = prepared.and_then(|(_, prepared)| {
            if wants_json {
                prepared.json.clone()
            } else {
                prepared.text.clone()
            }
        });
        match prepared {
            Some(answer) => Ok(answer),
            None => refusal::plain(503, "too much to do at the moment"),
        }
    }
}

fn answer(reject: &config::Response, by: &str, wants_json: bool) -> Result<Answer> {
    let seconds = RETRY_AFTER.secs_ceil();
    let own = if wants_json {
        let document = serde_json::json!({
            "error": "shed under overload",
            "protection": by,
            "retry_after_seconds": seconds,
        });
        format!("{document}\n")
    } else {
        format!("too much to do at the moment ({by}); come back in {seconds} second\n")
    };
    let mut answer = refusal::answer(reject, own, wants_json)?;
    if !answer.header.headers.contains_key("retry-after") {
        answer.header.insert_header("retry-after", seconds)?;
    }
    Ok(answer)
}
