//! Which requests are well formed enough to be judged at all.
//!
//! Pingora reads more than a front door should pass on: whatever two programs could read in two ways is
//! refused here, before any rule sees it (RFC 9110 and RFC 9112; the numbers below are theirs).

use http::{HeaderMap, Version, header};
use pingora_http::RequestHeader;

/// What is wrong with a request, and the status that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    pub what: &'static str,
}

/// Checks the head of an HTTP/1 request, parsed and as it came. Its target has at most `longest` bytes.
///
/// # Errors
/// The first [`Fault`] that is found.
pub fn check(head: &RequestHeader, raw: &[u8], longest: usize) -> Result<(), Fault> {
    lines(raw)?;
    target(head, longest)?;
    host(head)?;
    framing(raw, &head.headers)
}

fn fault(status: u16, what: &'static str) -> Result<(), Fault> {
    Err(Fault { status, what })
}

/// Every line ends in CR LF, none is folded, and there is no NUL (RFC 9112, 2.2 and 5.2).
fn lines(raw: &[u8]) -> Result<(), Fault> {
    let mut previous = 0;
    for (at, &byte) in raw.iter().enumerate() {
        match byte {
            b'\n' if previous != b'\r' => return fault(400, "a line ends in a bare LF"),
            0 => return fault(400, "a NUL in the header"),
            b' ' | b'\t' if previous == b'\n' && at > 1 => {
                return fault(400, "a folded header line");
            }
            _ if previous == b'\r' && byte != b'\n' => {
                return fault(400, "a bare CR in the header");
            }
            _ => {}
        }
        previous = byte;
    }
    Ok(())
}

/// The target is in origin form, of visible ASCII (RFC 9112, 3.2.1; RFC 3986, 2).
fn target(head: &RequestHeader, most: usize) -> Result<(), Fault> {
    let target = head.raw_path();
    if target.len() > most {
        return fault(414, "the request target is too long");
    }
    if !target.iter().all(|byte| matches!(byte, b'!'..=b'~')) {
        return fault(
            400,
            "a character in the request target that must be escaped",
        );
    }
    match target.first() {
        Some(b'/') => Ok(()),
        Some(b'*') if target == b"*" && head.method == http::Method::OPTIONS => Ok(()),
        _ => fault(400, "the request target is not a path"),
    }
}

/// HTTP/1.1 has exactly one Host, and it is a host with at most a port (RFC 9112, 3.2).
fn host(head: &RequestHeader) -> Result<(), Fault> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => fault(400, "more than one Host"),
        (Some(host), None) if is_authority(host.as_bytes()) => Ok(()),
        (Some(_), None) => fault(400, "Host is not a host name"),
        (None, _) if head.version == Version::HTTP_11 => fault(400, "no Host"),
        (None, _) => Ok(()),
    }
}

fn is_authority(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => {
                let address = str::from_utf8(&rest[..end]).ok();
                if address
                    .and_then(|text| text.parse::<std::net::Ipv6Addr>().ok())
                    .is_none()
                {
                    return false;
                }
                (&b"v6"[..], &rest[end + 1..])
            }
            None => return false,
        },
        _ => host.split_at(
            host.iter()
                .position(|byte| *byte == b':')
                .unwrap_or(host.len()),
        ),
    };
    let port_is_right = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let name_is_right = name
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    !name.is_empty() && name_is_right && port_is_right
}

/// One way to tell where the body ends, or none (RFC 9112, 6). The parsed header no longer shows a
/// Content-Length that came beside a Transfer-Encoding, so the raw lines are asked.
fn framing(raw: &[u8], headers: &HeaderMap) -> Result<(), Fault> {
    let lengths = count_fields(raw, b"content-length");
    let encodings = count_fields(raw, b"transfer-encoding");
    if lengths > 0 && encodings > 0 {
        return fault(400, "both Content-Length and Transfer-Encoding");
    }
    if lengths > 1 {
        return fault(400, "more than one Content-Length");
    }
    if encodings > 1 {
        return fault(400, "more than one Transfer-Encoding");
    }
    if let Some(length) = headers.get(header::CONTENT_LENGTH) {
        let digits = length.as_bytes();
        if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
            return fault(400, "Content-Length is not a number");
        }
    }
    match headers.get(header::TRANSFER_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            fault(501, "a Transfer-Encoding other than chunked")
        }
        _ => Ok(()),
    }
}

fn count_fields(raw: &[u8], name: &[u8]) -> usize {
    raw.split(|byte| *byte == b'\n')
        .skip(1)
        .filter(|line| {
            line.split_at_checked(name.len())
                .is_some_and(|(field, rest)| {
                    field.eq_ignore_ascii_case(name) && rest.first() == Some(&b':')
                })
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses as loosely as the server does, so that only this module's strictness is tested.
    fn judged(raw: &str) -> Result<(), u16> {
        let mut lines = raw.split('\n').map(|line| line.trim_end_matches('\r'));
        let mut first = lines.next().unwrap().split(' ');
        let (method, path, version) = (
            first.next().unwrap(),
            first.next().unwrap(),
            first.next_back(),
        );
        let mut head = RequestHeader::build(method, path.as_bytes(), None).unwrap();
        if version == Some("HTTP/1.0") {
            head.set_version(Version::HTTP_10);
        }
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            head.append_header(name.trim().to_owned(), value.trim())
                .unwrap();
        }
        check(&head, raw.as_bytes(), 100).map_err(|fault| fault.status)
    }

    #[test]
    fn what_everybody_sends_is_fine() {
        for raw in [
            "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
            "GET /a?b=c%20d HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n",
            "POST /x HTTP/1.1\r\nhost: a_b:80\r\ncontent-length: 5\r\n\r\n",
            "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(judged(raw), Ok(()), "{raw:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (raw, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", 400),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                501,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
                501,
            ),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
        ] {
            assert_eq!(judged(raw), Err(status), "{raw:?}");
        }
    }

    #[test]
    fn a_long_target_has_its_own_status() {
        assert_eq!(
            judged(&format!(
                "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
                "x".repeat(100)
            )),
            Err(414)
        );
    }
}
