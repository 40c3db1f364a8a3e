//! What a client is told whose request no server gets.

use floodwall_config as config;
use floodwall_limiter::Nanos;
use pingora_error::Result;

use super::Upstream;
use crate::refusal::{Answer, configured};

/// Why an upstream takes no request at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// Its breaker is open, or those of all its servers are.
    Open { retry_after: Nanos },
    /// It has as many requests as it may have at one time.
    Full,
    /// Nobody knows a server of it: no name was found.
    Unknown,
}

impl Unavailable {
    /// The reason in words, for the log and the client.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Open { .. } => "the upstream's breaker is open",
            Self::Full => "the upstream has as many requests as it may have",
            Self::Unknown => "no name of the upstream's servers was found",
        }
    }

    /// When it is worth coming back, in whole seconds; at least one.
    pub fn retry_after_seconds(self) -> u64 {
        match self {
            Self::Open { retry_after } => retry_after.secs_ceil().max(1),
            Self::Full | Self::Unknown => 1,
        }
    }

    /// Whether the file has an answer for it where it has the upstream.
    pub fn is_answered_by(self, upstream: &Upstream) -> bool {
        self.response(upstream) != config::Response::unavailable()
    }

    /// An answer of somebody else, with the time when it is worth coming back.
    ///
    /// # Errors
    /// As [`Unavailable::answer`].
    pub fn with(self, response: &config::Response) -> Result<Answer> {
        let mut answer = configured(response)?;
        if !answer.header.headers.contains_key("retry-after") {
            let seconds = self.retry_after_seconds();
            answer.header.insert_header("retry-after", seconds)?;
        }
        Ok(answer)
    }

    /// The status of the answer.
    pub fn status(self, upstream: &Upstream) -> u16 {
        self.response(upstream).status
    }

    /// The answer that `upstream` has for it.
    ///
    /// # Errors
    /// When a header of the configuration cannot be written, which a checked configuration rules out.
    pub fn answer(self, upstream: &Upstream, wants_json: bool) -> Result<Answer> {
        let response = self.response(upstream);
        let seconds = self.retry_after_seconds();
        // Those have no body at all.
        let said = response.body.is_some() || matches!(response.status, 204 | 304);
        let body = response.body.unwrap_or_else(|| {
            if said {
                String::new()
            } else if wants_json {
                self.json(&upstream.name)
            } else {
                format!("{}; come back in {seconds} s\n", self.reason())
            }
        });
        let mut answer = configured(&config::Response {
            body: Some(body),
            ..response
        })?;
        if wants_json && !said {
            answer
                .header
                .insert_header("content-type", "application/json")?;
        }
        if !answer.header.headers.contains_key("retry-after") {
            answer.header.insert_header("retry-after", seconds)?;
        }
        Ok(answer)
    }

    fn response(self, upstream: &Upstream) -> config::Response {
        let refusal = upstream
            .config
            .breaker
            .as_ref()
            .map(|breaker| &breaker.refusal);
        match (self, refusal) {
            (Self::Open { .. }, Some(config::Refusal::Respond(response))) => response.clone(),
            _ => config::Response {
                status: 503,
                headers: Vec::new(),
                body: None,
            },
        }
    }

    fn json(self, upstream: &str) -> String {
        let document = serde_json::json!({
            "error": self.reason(),
            "upstream": upstream,
            "retry_after_seconds": self.retry_after_seconds(),
        });
        format!("{document}\n")
    }
}
