//! Fields that a request has once or not at all.
//!
//! Of two of them one program takes the first and another the last (RFC 9110, 5.3), and a rule would have looked at
//! the wrong one.

use http::{HeaderMap, HeaderName, header};

use super::Fault;

const TWICE: Fault = Fault::malformed("a header field that there may be one of comes twice");

/// Fields that say who asks, for what part, under which condition, and what the body is.
static SINGULAR: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
];

/// Checks that none of these fields comes twice.
///
/// # Errors
/// The [`Fault`] of a field that does.
pub(super) fn check(fields: &HeaderMap) -> Result<(), Fault> {
    if !repeats(fields) {
        return Ok(());
    }
    let twice = |name| fields.get_all(name).iter().nth(1).is_some();
    if SINGULAR.iter().any(twice) {
        return Err(TWICE);
    }
    Ok(())
}

/// Whether any field comes twice, which is rare.
fn repeats(fields: &HeaderMap) -> bool {
    fields.len() > fields.keys_len()
}
