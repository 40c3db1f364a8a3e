//! What an upstream answers, made one strictly valid message to the client.
//!
//! The engine reads responses loosely and passes their heads on as they came: with lengths in several spellings, in the
//! upstream's version, and with an encoding that it does not know as the body of another.

use http::{HeaderValue, StatusCode, Version, header};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;

/// Checks a response as the upstream sent it, and gives its length one spelling.
///
/// # Errors
/// What nobody could read in one way alone, and a change of protocols, which the engine is never asked for.
pub(super) fn check(response: &mut ResponseHeader) -> Result<()> {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return invalid("a change of protocols that nobody asked for");
    }
    let mut encodings = response.headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if encodings
        .next()
        .is_some_and(|encoding| !is_chunked(encoding))
        || encodings.next().is_some()
    {
        return invalid("a Transfer-Encoding other than chunked");
    }
    spell_length(response)
}

/// One length in plain digits, however often and in whatever spelling it was said (RFC 9110, 8.6).
fn spell_length(response: &mut ResponseHeader) -> Result<()> {
    let fields = response.headers.get_all(header::CONTENT_LENGTH);
    let mut lengths = fields.iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => return Ok(()),
        (Some(length), None) if is_plain(length.as_bytes()) => return Ok(()),
        _ => {}
    }
    let mut lengths = fields
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .map(|length| number(length.trim_ascii()));
    let Some(Some(length)) = lengths.next() else {
        return invalid("a Content-Length that is no number");
    };
    if lengths.any(|other| other != Some(length)) {
        return invalid("more than one Content-Length");
    }
    response.insert_header(header::CONTENT_LENGTH, length)
}

fn is_plain(digits: &[u8]) -> bool {
    number(digits).is_some() && (digits.len() == 1 || digits[0] != b'0')
}

fn number(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

fn invalid<T>(what: &'static str) -> Result<T> {
    Err(Error::explain(ErrorType::InvalidHTTPHeader, what).into_up())
}

/// Makes the head one of the proxy's own version, which announces a body only where there may be one.
pub(super) fn fit(response: &mut ResponseHeader) {
    response.set_version(Version::HTTP_11);
    if response.status.is_informational() || response.status == StatusCode::NO_CONTENT {
        // RFC 9110, 8.6; RFC 9112, 6.1.
        response.remove_header(&header::CONTENT_LENGTH);
        response.remove_header(&header::TRANSFER_ENCODING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length as it is said in the end; none of a response that is refused, empty where there is none.
    fn checked(fields: &[(&'static str, &str)]) -> Option<String> {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in fields {
            response.append_header(*name, *value).unwrap();
        }
        check(&mut response).ok()?;
        let mut lengths = response.headers.get_all("content-length").iter();
        let length = lengths
            .next()
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        assert!(lengths.next().is_none());
        Some(length)
    }

    #[test]
    fn a_length_has_one_spelling() {
        for (lengths, spelled) in [
            (&["5"][..], "5"),
            (&["0"], "0"),
            (&["05"], "5"),
            (&["5", "5"], "5"),
            (&["5, 5"], "5"),
            (&["5", "005,5"], "5"),
        ] {
            let fields: Vec<_> = lengths
                .iter()
                .map(|length| ("content-length", *length))
                .collect();
            assert_eq!(checked(&fields).as_deref(), Some(spelled), "{lengths:?}");
        }
        for lengths in [
            &["5, 6"][..],
            &["5", "6"],
            &[""],
            &["+5"],
            &["5,"],
            &["5 5"],
        ] {
            let fields: Vec<_> = lengths
                .iter()
                .map(|length| ("content-length", *length))
                .collect();
            assert_eq!(checked(&fields), None, "{lengths:?}");
        }
        assert_eq!(checked(&[]).as_deref(), Some(""));
    }

    #[test]
    fn a_body_comes_in_chunks_or_as_it_is() {
        let chunked = checked(&[("transfer-encoding", "Chunked")]);
        assert_eq!(chunked.as_deref(), Some(""));
        for encoding in [
            "gzip",
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "",
            "chunked;a=b",
        ] {
            assert_eq!(
                checked(&[("transfer-encoding", encoding)]),
                None,
                "{encoding}"
            );
        }
        let twice = [("transfer-encoding", "chunked"); 2];
        assert_eq!(checked(&twice), None);
    }

    #[test]
    fn nobody_changes_protocols_unasked() {
        let mut response = ResponseHeader::build(101, None).unwrap();
        check(&mut response).unwrap_err();
    }
}
