//! What a client is told when it is refused: a status, why, and when to come back.

use floodwall_config as config;
use floodwall_limiter::Nanos;
use http::HeaderName;
use pingora_error::Result;
use pingora_http::ResponseHeader;

use crate::{
    admission::{Refusal, Standing},
    fields,
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
    let field = ratelimit(&limit.quoted, 0, seconds);
    answer.header.insert_header("ratelimit", field)?;
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
    standing: Standing,
) -> Result<()> {
    let limit = generation.limit(standing.limit);
    header.insert_header("ratelimit-policy", standing.policy)?;
    let reset = standing.reset.map(Nanos::secs_ceil);
    let field = ratelimit(&limit.quoted, standing.remaining, reset);
    header.insert_header("ratelimit", field)
}

/// Removes what the upstream says of limits of its own under the names that [`write_standing`] writes.
pub fn remove_standing(header: &mut ResponseHeader) {
    fields::remove(header, &STANDING);
}

static STANDING: [HeaderName; 2] = [
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit"),
];

/// What [`write_standing`] writes, as lines of a head.
pub fn standing_lines(generation: &Generation, standing: &Standing) -> Vec<u8> {
    let quoted = &generation.limit(standing.limit).quoted;
    let reset = standing.reset.map(Nanos::secs_ceil);
    let policy = standing.policy.as_bytes();
    let mut lines = Vec::with_capacity(policy.len() + quoted.len() + 80);
    lines.extend_from_slice(b"ratelimit-policy: ");
    lines.extend_from_slice(policy);
    lines.extend_from_slice(b"\r\nratelimit: ");
    push_ratelimit(&mut lines, quoted, standing.remaining, reset);
    lines.extend_from_slice(b"\r\n");
    lines
}

/// The `RateLimit` field. It is as long as what was allocated for it, so that the header keeps it as it is.
fn ratelimit(quoted: &str, remaining: u64, reset: Option<u64>) -> Vec<u8> {
    let mut field = Vec::new();
    push_ratelimit(&mut field, quoted, remaining, reset);
    field.shrink_to_fit();
    field
}

fn push_ratelimit(field: &mut Vec<u8>, quoted: &str, remaining: u64, reset: Option<u64>) {
    let mut digits = itoa::Buffer::new();
    field.extend_from_slice(quoted.as_bytes());
    field.extend_from_slice(b";r=");
    field.extend_from_slice(digits.format(remaining).as_bytes());
    if let Some(seconds) = reset {
        field.extend_from_slice(b";t=");
        field.extend_from_slice(digits.format(seconds).as_bytes());
    }
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
