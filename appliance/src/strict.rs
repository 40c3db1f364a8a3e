//! Which requests are well formed enough to be judged at all.
//!
//! Pingora reads more than a front door should pass on: whatever two programs could read in two ways is
//! refused here, before any rule sees it (RFC 9110 and RFC 9112; the numbers below are theirs).

use http::{HeaderMap, HeaderValue, Version, header};
use pingora_http::RequestHeader;

use crate::server::body::Framing;

mod options;
mod singular;

/// What is wrong with a request, and the status that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    pub what: &'static str,
}

impl Fault {
    /// A request that is not what the standards call one: 400.
    pub(crate) const fn malformed(what: &'static str) -> Self {
        Self { status: 400, what }
    }
}

/// Checks the head of a request, whatever protocol it came in. Its target has at most `longest` bytes. What only the
/// bytes of HTTP/1 show was looked at while they came in.
///
/// # Errors
/// The first [`Fault`] that is found.
pub fn check(head: &RequestHeader, longest: usize) -> Result<(), Fault> {
    method(head)?;
    target(head, longest)?;
    host(head)?;
    framing(&head.headers)?;
    singular::check(&head.headers)?;
    options::check(&head.headers)?;
    expectation(head)
}

fn fault(status: u16, what: &'static str) -> Result<(), Fault> {
    Err(Fault { status, what })
}

/// TRACE would send back what proxies add to a request (RFC 9110, 9.3.8).
fn method(head: &RequestHeader) -> Result<(), Fault> {
    match head.method {
        http::Method::TRACE | http::Method::CONNECT => {
            fault(405, "a method that is not for this server")
        }
        _ => Ok(()),
    }
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
        [] | [b':'] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit) && is_port(digits),
        _ => false,
    };
    let name_is_right = name
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    let labels_are_right = !name.starts_with(b".") && !name.windows(2).any(|pair| pair == b"..");
    !name.is_empty() && name_is_right && labels_are_right && port_is_right
}

fn is_port(digits: &[u8]) -> bool {
    str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u16>().is_ok())
}

/// One way to tell where the body ends, or none (RFC 9112, 6).
///
/// # Errors
/// The first [`Fault`] that is found.
pub fn framing(headers: &HeaderMap) -> Result<(), Fault> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let (length, encoding) = (lengths.next(), encodings.next());
    if length.is_some() && encoding.is_some() {
        return fault(400, "both Content-Length and Transfer-Encoding");
    }
    if lengths.next().is_some() {
        return fault(400, "more than one Content-Length");
    }
    if encodings.next().is_some() {
        return fault(400, "more than one Transfer-Encoding");
    }
    if let Some(length) = length {
        let digits = length.as_bytes();
        if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
            return fault(400, "Content-Length is not a number");
        }
    }
    match encoding {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            fault(501, "a Transfer-Encoding other than chunked")
        }
        _ => Ok(()),
    }
}

/// How the end of the body is told by a head that was found to be in order.
pub fn framing_of(headers: &HeaderMap) -> Framing {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Framing::Chunked;
    }
    let length = headers.get(header::CONTENT_LENGTH);
    length
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .map_or(Framing::None, Framing::Length)
}

/// There is one expectation (RFC 9110, 10.1.1), and HTTP/1.0 has none.
fn expectation(head: &RequestHeader) -> Result<(), Fault> {
    let mut expectations = head.headers.get_all(header::EXPECT).iter();
    let is_known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let is_one = expectations.next().is_none_or(is_known) && expectations.next().is_none();
    if head.version == Version::HTTP_10 || is_one {
        Ok(())
    } else {
        fault(417, "an expectation that nobody knows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses as loosely as a server may, so that only this module's strictness is tested.
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
        check(&head, 100).map_err(|fault| fault.status)
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
            "PUT / HTTP/1.0\r\nExpect: more\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.:\r\nConnection: keep-alive, TE, X-Own\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nAccept: a\r\nAccept: b\r\n\r\n",
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
            ("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a:+1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: .\r\n\r\n", 400),
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
            ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("PUT / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417),
            (
                "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
                417,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
                400,
            ),
            (
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\ncontent-type: a/b\r\n\r\n",
                400,
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n", 400),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Cookie\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: X-Forwarded-For\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: \"X\"\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: a,b,c,d,e,f,g,h,i,j\r\n\r\n",
                400,
            ),
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
