//! Fields that belong to one connection and end with it, whoever is behind it (RFC 9110, 7.6.1).

use floodwall_config::OF_ONE_CONNECTION;
use http::{HeaderMap, HeaderName, Version, header};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use crate::fields::{self, words};

/// Those of a response but for its framing. HTTP/2 has none of them, and its codec refuses a response that has one.
/// Names, not text: every response is looked through for them.
static OF_RESPONSES: [HeaderName; 5] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::UPGRADE,
];

/// Takes off a request what belongs to the client's connection.
pub(super) fn strip_request(request: &mut RequestHeader) {
    for name in nominated(&request.headers) {
        request.remove_header(name.as_str());
    }
    for name in OF_ONE_CONNECTION {
        request.remove_header(name);
    }
}

/// Takes off a response what belongs to the connection to the upstream.
pub(super) fn strip_response(response: &mut ResponseHeader) {
    let present = fields::present(&response.headers, &OF_RESPONSES);
    if present.contains(&&header::CONNECTION) {
        for name in nominated(&response.headers) {
            if !is_framing(&name) {
                response.remove_header(name.as_str());
            }
        }
    }
    for name in present {
        response.remove_header(name);
    }
}

/// Frames a body of unknown length by the end of the connection for a client of HTTP/1.0, who knows no chunks
/// (RFC 9112, 6.1).
pub(super) fn frame(session: &mut Session, response: &mut ResponseHeader) {
    if session.req_header().version == Version::HTTP_10
        && response.remove_header(&header::TRANSFER_ENCODING).is_some()
    {
        session.set_keepalive(None);
    }
}

/// What `Connection` names. Most name nothing but what becomes of the connection.
fn nominated(headers: &HeaderMap) -> Vec<String> {
    words(headers, &header::CONNECTION)
        .filter(|name| {
            !name.eq_ignore_ascii_case("close") && !name.eq_ignore_ascii_case("keep-alive")
        })
        .map(str::to_owned)
        .collect()
}

/// Where a body ends is nothing that a response can take back.
fn is_framing(name: &str) -> bool {
    let framing = ["content-length", "transfer-encoding"];
    framing.iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// What `Upgrade` names, in lower case.
pub(super) fn protocols(headers: &HeaderMap) -> Vec<String> {
    words(headers, &header::UPGRADE)
        .map(str::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(fields: &[(&'static str, &'static str)]) -> ResponseHeader {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in fields {
            response.append_header(*name, *value).unwrap();
        }
        response
    }

    #[test]
    fn what_a_response_says_of_its_connection_is_taken_off() {
        let mut response = response(&[
            ("connection", "close, X-Mine"),
            ("Connection", "x-too, Content-Length"),
            ("x-mine", "1"),
            ("x-too", "2"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2,h2c"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("content-length", "2"),
            ("x-kept", "3"),
        ]);
        strip_response(&mut response);
        let left: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["content-length", "x-kept"]);
    }

    #[test]
    fn a_request_keeps_what_is_for_whoever_answers() {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in [
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("host", "a"),
        ] {
            request.append_header(name, value).unwrap();
        }
        strip_request(&mut request);
        let left: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["host"]);
    }
}
