//! What a client is told when it is refused: a status, why, and when to come back.

use std::fmt::Write;

use floodwall_config as config;
use floodwall_limiter::Nanos;
use pingora_error::Result;
use pingora_http::ResponseHeader;

use crate::{
    admission::{Refusal, Standing},
    generation::Generation,
};

/// A response that Floodwall writes itself.
#[derive(Clone, Debug)]
pub struct Answer {
    pub header: Box<ResponseHeader>,
    pub body: String,
}

/// The answer to a request that a limit refused.
///
/// # Errors
/// When a header of the configuration cannot be written, which a checked configuration rules out.
pub fn by_limit(generation: &Generation, refusal: &Refusal, wants_json: bool) -> Result<Answer> {
    let limit = generation.limit(refusal.limit);
    let seconds =
        (refusal.retry_after < Nanos::MAX).then(|| refusal.retry_after.secs_ceil().max(1));
    let (body, content_type) = match &limit.reject.body {
        Some(body) => (body.clone(), TEXT),
        None if wants_json => (json(&limit.name, seconds), "application/json"),
        None => (text(&limit.name, seconds), TEXT),
    };
    let mut answer = write(&limit.reject, body, content_type)?;
    if let Some(seconds) = seconds {
        answer.header.insert_header("retry-after", seconds)?;
    }
    answer
        .header
        .insert_header("ratelimit-policy", refusal.policy.clone())?;
    let reset = seconds.map_or(String::new(), |seconds| format!(";t={seconds}"));
    answer
        .header
        .insert_header("ratelimit", format!("{};r=0{reset}", limit.quoted))?;
    Ok(answer)
}

/// A response out of the configuration.
///
/// # Errors
/// When one of its headers cannot be written, which a checked configuration rules out.
pub fn configured(response: &config::Response) -> Result<Answer> {
    write(response, response.body.clone().unwrap_or_default(), TEXT)
}

/// A response out of the configuration, with `own` for a body where the file gives none.
///
/// # Errors
/// When one of its headers cannot be written, which a checked configuration rules out.
pub fn answer(response: &config::Response, own: String, is_json: bool) -> Result<Answer> {
    match &response.body {
        Some(body) => write(response, body.clone(), TEXT),
        None if is_json => write(response, own, "application/json"),
        None => write(response, own, TEXT),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn write(response: &config::Response, body: String, content_type: &'static str) -> Result<Answer> {
    let mut header = Box::new(ResponseHeader::build(
        response.status,
        Some(response.headers.len() + 6),
    )?);
    if !response
        .headers
        .iter()
        .any(|field| field.name.as_str() == "content-type")
    {
        header.insert_header("content-type", content_type)?;
    }
    for field in &response.headers {
        header.append_header(field.name.as_str().to_owned(), field.value.as_str())?;
    }
    header.insert_header("content-length", body.len())?;
    Ok(Answer { header, body })
}

/// A plain answer to a request that no rule of the file covers.
///
/// # Errors
/// Never for a status between 100 and 999.
pub fn plain(status: u16, reason: &str) -> Result<Answer> {
    let body = format!("{reason}\n");
    let mut header = Box::new(ResponseHeader::build(status, Some(4))?);
    header.insert_header("content-type", TEXT)?;
    header.insert_header("content-length", body.len())?;
    Ok(Answer { header, body })
}

/// Writes how a client stands with the tightest of its limits.
///
/// # Errors
/// Never: both fields are visible ASCII.
pub fn write_standing(
    header: &mut ResponseHeader,
    generation: &Generation,
    standing: &Standing,
) -> Result<()> {
    let limit = generation.limit(standing.limit);
    header.insert_header("ratelimit-policy", standing.policy.clone())?;
    let Standing {
        remaining, reset, ..
    } = standing;
    let reset = reset.map(Nanos::secs_ceil);
    // As long as it will be, so that it is allocated once and the header keeps it as it is.
    let length = limit.quoted.len() + 3 + digits(*remaining) + reset.map_or(0, |t| 3 + digits(t));
    let mut field = String::with_capacity(length);
    // A `String` takes everything.
    let _ = write!(field, "{};r={remaining}", limit.quoted);
    if let Some(seconds) = reset {
        let _ = write!(field, ";t={seconds}");
    }
    header.insert_header("ratelimit", field)?;
    Ok(())
}

fn digits(number: u64) -> usize {
    number
        .checked_ilog10()
        .map_or(1, |power| power as usize + 1)
}

/// Names the limits that would have refused, were they enforced.
///
/// # Errors
/// Never: quoted names are visible ASCII.
pub fn write_shadowed(
    header: &mut ResponseHeader,
    generation: &Generation,
    shadowed: &[config::LimitIndex],
) -> Result<()> {
    if shadowed.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = shadowed
        .iter()
        .map(|index| generation.limit(*index).quoted.as_str())
        .collect();
    header.insert_header("x-floodwall-shadowed", names.join(", "))
}

fn text(limit: &str, seconds: Option<u64>) -> String {
    match seconds {
        Some(1) => format!("refused by the limit {limit}; come back in 1 second\n"),
        Some(seconds) => format!("refused by the limit {limit}; come back in {seconds} seconds\n"),
        None => format!("refused by the limit {limit}\n"),
    }
}

fn json(limit: &str, seconds: Option<u64>) -> String {
    let document = serde_json::json!({
        "error": "refused by a limit",
        "limit": limit,
        "retry_after_seconds": seconds,
    });
    format!("{document}\n")
}
