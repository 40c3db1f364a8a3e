//! One line of cookies: of several lines one program reads the first and another the last.

use http::{HeaderValue, header};
use pingora_http::RequestHeader;

use crate::strict::Fault;

const ODD_COOKIE: Fault = Fault::malformed("a cookie that is not one");

/// Joins what came on several lines before anybody else sees it: the crumbs of HTTP/2 (RFC 9113, 8.2.3), and what no
/// client of HTTP/1 should send (RFC 6265, 5.4).
///
/// # Errors
/// The [`Fault`] of a line that cannot stand in a field.
pub(super) fn join(head: &mut RequestHeader) -> Result<(), Fault> {
    let lines = head.headers.get_all(header::COOKIE);
    if lines.iter().nth(1).is_none() {
        return Ok(());
    }
    let lines: Vec<_> = lines.iter().map(HeaderValue::as_bytes).collect();
    let line = lines.join(&b"; "[..]);
    head.remove_header(&header::COOKIE);
    head.insert_header(header::COOKIE, line)
        .map_err(|_| ODD_COOKIE)
}
