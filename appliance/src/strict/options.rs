//! What `Connection` may name: options, and fields that are of this connection alone.
//!
//! Whatever it names is taken away before the request goes on (RFC 9110, 7.6.1). A client that names a field which is
//! for the origin has the origin see another request than the rules have judged.

use http::{HeaderMap, header};

use super::Fault;
use crate::{fields, server::head::is_token};

const NO_TOKEN: Fault = Fault::malformed("Connection names what is no token");
const TOO_MANY: Fault = Fault::malformed("Connection names too many fields");
const END_TO_END: Fault = Fault::malformed("Connection names a field that is for the origin");

/// Nobody has as many, and the engine takes no more.
const MOST: usize = 9;

/// Fields whose absence would change what a request means, or who sends it.
const FOR_THE_ORIGIN: [&str; 18] = [
    "accept-encoding",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "if-range",
    "origin",
    "range",
    "referer",
    "transfer-encoding",
    "x-real-ip",
    "x-request-id",
];

/// Checks the options of a connection.
///
/// # Errors
/// The [`Fault`] of the first that may not be there.
pub(super) fn check(fields: &HeaderMap) -> Result<(), Fault> {
    let mut count = 0;
    for option in fields::members(fields, &header::CONNECTION) {
        if !option.iter().copied().all(is_token) {
            return Err(NO_TOKEN);
        }
        if is_for_the_origin(option) {
            return Err(END_TO_END);
        }
        count += 1;
        if count > MOST {
            return Err(TOO_MANY);
        }
    }
    Ok(())
}

fn is_for_the_origin(option: &[u8]) -> bool {
    let forwarded = b"x-forwarded-";
    let starts = option
        .get(..forwarded.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(forwarded));
    starts
        || FOR_THE_ORIGIN
            .iter()
            .any(|name| option.eq_ignore_ascii_case(name.as_bytes()))
}
