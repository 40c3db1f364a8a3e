//! gRPC over HTTP/2: how long a call may take, and what its client is told in its own words when no server answers.

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use pingora_core::protocols::http::ServerSession;
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use crate::refusal::Answer;

/// What a call is told whose upstream is asked with HTTP/1: it would end without a status, which is in the trailers.
pub(super) const NEEDS_HTTP2: &str = "gRPC needs an upstream with http2: true";

/// Whether a request is a gRPC call. gRPC-Web is not: it speaks HTTP's own statuses.
pub(super) fn is_call(head: &RequestHeader) -> bool {
    head.version == Version::HTTP_2
        && head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"))
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// How long the client waits for a call; nothing when it does not say, or not in up to eight digits and a unit.
pub(super) fn timeout(head: &RequestHeader) -> Option<Duration> {
    if !is_call(head) {
        return None;
    }
    let value = head.headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let is_number =
        (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u32>().ok().filter(|_| is_number)?;
    let one = match unit {
        "H" => Duration::from_hours(1),
        "M" => Duration::from_mins(1),
        "S" => Duration::from_secs(1),
        "m" => Duration::from_millis(1),
        "u" => Duration::from_micros(1),
        "n" => Duration::from_nanos(1),
        _ => return None,
    };
    Some(one * number)
}

/// Says of a call what an answer of ours says of a request, in one block of fields that ends the stream: what gRPC over
/// HTTP/2 calls Trailers-Only.
///
/// # Errors
/// When the client is gone.
pub(super) fn respond(session: &mut Session, answer: &Answer) -> Result<()> {
    let header = translate(answer)?;
    match session.as_downstream_mut() {
        ServerSession::H2(stream) => stream.write_response_header(header, true),
        // No call comes otherwise.
        _ => Ok(()),
    }
}

fn translate(answer: &Answer) -> Result<Box<ResponseHeader>> {
    let mut header = Box::new(ResponseHeader::build(200, Some(8))?);
    header.insert_header(header::CONTENT_TYPE, "application/grpc")?;
    for (name, value) in own_fields(&answer.header.headers) {
        header.append_header(name.clone(), value.clone())?;
    }
    header.insert_header("grpc-status", status(answer.header.status.as_u16()))?;
    if let Ok(message) = HeaderValue::from_str(&message(&answer.body)) {
        header.insert_header("grpc-message", message)?;
    }
    Ok(header)
}

/// The fields of an answer that are not about its body.
fn own_fields(fields: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    fields
        .iter()
        .filter(|(name, _)| **name != header::CONTENT_TYPE && **name != header::CONTENT_LENGTH)
}

/// The status of a call for one of HTTP, as gRPC's clients would read it, but for what was refused for its number or
/// its size, and what took too long.
fn status(http: u16) -> u16 {
    const UNKNOWN: u16 = 2;
    const DEADLINE_EXCEEDED: u16 = 4;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match http {
        400 | 500 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 | 501 => UNIMPLEMENTED,
        408 | 504 => DEADLINE_EXCEEDED,
        413 | 429 => RESOURCE_EXHAUSTED,
        502 | 503 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// A text as gRPC writes it into a field: everything but visible ASCII and the space is escaped.
fn message(text: &str) -> String {
    let mut message = String::with_capacity(text.len());
    for byte in text.trim_end().bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => {
                // Writing into a string does not fail.
                let _ = write!(message, "%{byte:02X}");
            }
            _ => message.push(char::from(byte)),
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(content: &str, timeout: &str) -> RequestHeader {
        let mut head = RequestHeader::build("POST", b"/a.B/C", None).unwrap();
        head.set_version(Version::HTTP_2);
        head.insert_header("content-type", content.to_owned())
            .unwrap();
        head.insert_header("grpc-timeout", timeout.to_owned())
            .unwrap();
        head
    }

    #[test]
    fn a_call_is_known_by_its_content() {
        for content in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;x=y",
        ] {
            assert!(is_call(&call(content, "")), "{content}");
        }
        for content in ["application/grpc-web", "application/json"] {
            assert!(!is_call(&call(content, "")), "{content}");
        }
        let mut head = call("application/grpc", "");
        head.set_version(Version::HTTP_11);
        assert!(!is_call(&head));
    }

    #[test]
    fn a_timeout_has_a_number_and_a_unit() {
        for (value, wanted) in [
            ("2H", Some(Duration::from_hours(2))),
            ("3M", Some(Duration::from_mins(3))),
            ("4S", Some(Duration::from_secs(4))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("7n", Some(Duration::from_nanos(7))),
            ("", None),
            ("S", None),
            ("+1S", None),
            ("123456789S", None),
            ("1s", None),
        ] {
            let head = call("application/grpc", value);
            assert_eq!(timeout(&head), wanted, "{value:?}");
        }
        assert_eq!(timeout(&call("text/plain", "1S")), None);
    }

    #[test]
    fn an_answer_becomes_a_status_and_a_message() {
        let mut said = crate::refusal::plain(429, "100 % of\tit").unwrap();
        said.header.insert_header("retry-after", 3).unwrap();
        let header = translate(&said).unwrap();
        assert_eq!(header.status, 200);
        assert_eq!(header.headers["grpc-status"], "8");
        assert_eq!(header.headers["grpc-message"], "100 %25 of%09it");
        assert_eq!(header.headers["content-type"], "application/grpc");
        assert_eq!(header.headers["retry-after"], "3");
        assert!(!header.headers.contains_key("content-length"));
    }
}
