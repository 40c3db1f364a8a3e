//! What an HTTP/1 request may say in more than one way, or leave out: brought into the form that the rules and the
//! upstream get to see.

use http::{HeaderValue, Version, header};
use pingora_proxy::Session;

use super::cookies;
use crate::strict::Fault;

const NO_HOST: Fault = Fault::malformed("the authority is not a host name");

/// Brings a head into the common form: a path as the target, a Host, one line of cookies.
///
/// # Errors
/// The [`Fault`] to answer with.
pub(super) fn to_common_form(session: &mut Session) -> Result<(), Fault> {
    if session.req_header().version == Version::HTTP_10 {
        name_host(session)?;
    }
    to_origin_form(session);
    cookies::join(session.req_header_mut())
}

/// Gives a request of HTTP/1.0 the Host that the upstream needs (RFC 9112, 3.2): whom its target names, or else the
/// address that it came to (RFC 9110, 7.1).
fn name_host(session: &mut Session) -> Result<(), Fault> {
    if session.req_header().headers.contains_key(header::HOST) {
        return Ok(());
    }
    let named = authority(session.req_header().raw_path());
    let host = match named {
        Some(authority) => HeaderValue::from_bytes(authority),
        None => HeaderValue::from_str(&address(session)),
    };
    let host = host.map_err(|_| NO_HOST)?;
    let head = session.req_header_mut();
    head.insert_header(header::HOST, host).map_err(|_| NO_HOST)
}

/// The address that a client came to, as an authority.
fn address(session: &Session) -> String {
    let address = session.server_addr().and_then(|address| address.as_inet());
    address.map_or_else(|| "localhost".to_owned(), ToString::to_string)
}

/// Brings a target in absolute form into origin form (RFC 9112, 3.2.2). The engine keeps such a target as it came, with
/// its path alone as the URI, and has checked that its authority is the Host where there is one.
fn to_origin_form(session: &mut Session) {
    let head = session.req_header_mut();
    if after_scheme(head.raw_path()).is_some() {
        let path = head.uri.clone();
        head.set_uri(path);
    }
}

/// The authority of a target in absolute form.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let rest = after_scheme(target)?;
    let is_behind = |byte: &u8| matches!(byte, b'/' | b'?' | b'#');
    rest.split(is_behind).next()
}

fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_of_an_absolute_target_is_found() {
        for (target, found) in [
            ("http://a.example:81/x", Some("a.example:81")),
            ("HTTPS://a.example", Some("a.example")),
            ("http://a?b/c", Some("a")),
            ("http://u@a/", Some("u@a")),
            ("/http://a/", None),
            ("http:/a", None),
            ("*", None),
        ] {
            let expected = found.map(str::as_bytes);
            assert_eq!(authority(target.as_bytes()), expected, "{target}");
        }
    }
}
