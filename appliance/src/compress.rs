//! Responses that are made smaller on their way to the client.
//!
//! Only routes that ask for it pay: the engine's module for this would cost every request, and cannot flush what it has
//! before the end of a stream.

mod accept;
mod encoder;

use floodwall_config::{Algorithm, Compress};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};

pub use encoder::Encoder;

use crate::fields;

/// Decides about a response, and changes its head if its body is to be compressed.
///
/// A response that could be compressed for another client says so in `Vary`.
///
/// # Errors
/// Never: all fields are visible ASCII.
pub fn begin(
    rules: &Compress,
    request: &RequestHeader,
    response: &mut ResponseHeader,
) -> Result<Option<Encoder>> {
    if !is_fit(rules, response) {
        return Ok(None);
    }
    vary(response)?;
    let has_body = request.method != Method::HEAD;
    if !has_body || request.version < Version::HTTP_11 || is_to_stay(&request.headers) {
        return Ok(None);
    }
    let Some(algorithm) = accept::preferred(&request.headers, &rules.algorithms) else {
        return Ok(None);
    };
    // Whoever announces no length may be sending bit by bit.
    let is_stream = length(&response.headers).is_none();
    rename(response, algorithm)?;
    Ok(Some(Encoder::new(algorithm, rules.level, is_stream)))
}

/// Whether compressing the response is right and worth it, whoever asks.
fn is_fit(rules: &Compress, response: &ResponseHeader) -> bool {
    let headers = &response.headers;
    let bodyless = response.status.is_informational()
        || matches!(
            response.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
        );
    let coded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| coding != "identity");
    let kept = is_to_stay(headers);
    // Trailers come after the body's end, and the engine does not say in time that there are some.
    let other =
        headers.contains_key(header::CONTENT_RANGE) || headers.contains_key(header::TRAILER);
    let small = length(headers).is_some_and(|length| length < rules.min_bytes);
    let wanted = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|named| rules.takes(named));
    wanted && !(bodyless || coded || kept || other || small)
}

/// Either side may ask that nobody changes the body (RFC 9111, 5.2.1.6 and 5.2.2.6).
fn is_to_stay(headers: &HeaderMap) -> bool {
    fields::words(headers, &header::CACHE_CONTROL)
        .any(|directive| directive.eq_ignore_ascii_case("no-transform"))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn vary(response: &mut ResponseHeader) -> Result<()> {
    let said = fields::words(&response.headers, &header::VARY)
        .any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding"));
    if said {
        return Ok(());
    }
    response
        .append_header(header::VARY, "accept-encoding")
        .map(drop)
}

/// Makes the head that of another representation.
fn rename(response: &mut ResponseHeader, algorithm: Algorithm) -> Result<()> {
    response.insert_header(header::CONTENT_ENCODING, accept::name(algorithm))?;
    response.remove_header(&header::CONTENT_LENGTH);
    // What they say is of the bytes as they were.
    response.remove_header(&header::ACCEPT_RANGES);
    response.remove_header("content-md5");
    response.remove_header("content-digest");
    response.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    let strong = response
        .headers
        .get(header::ETAG)
        .filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    if let Some(strong) = strong {
        let mut weak = b"W/".to_vec();
        weak.extend_from_slice(strong.as_bytes());
        match HeaderValue::from_bytes(&weak) {
            Ok(weak) => response.insert_header(header::ETAG, weak)?,
            Err(_) => drop(response.remove_header(&header::ETAG)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
