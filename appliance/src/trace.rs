//! Trace contexts of the W3C: which trace a request belongs to.
//!
//! The proxy makes no spans. A valid context goes through as it came, so that the client's span is the parent of
//! the server's; one that is not valid would be read in two ways, and goes nowhere.

use http::{HeaderMap, HeaderName};

pub static PARENT: HeaderName = HeaderName::from_static("traceparent");
pub static STATE: HeaderName = HeaderName::from_static("tracestate");

/// The id of the trace that a request says it belongs to; none when it says nothing, or nothing valid.
///
/// Source: Trace Context, level 1, section 3.2, <https://www.w3.org/TR/trace-context-1/>.
pub fn id(headers: &HeaderMap) -> Option<&str> {
    let mut parents = headers.get_all(&PARENT).iter();
    let parent = parents.next()?.to_str().ok()?;
    if parents.next().is_some() {
        return None;
    }
    id_in(parent)
}

/// `VERSION-TRACE-PARENT-FLAGS`, and in later versions perhaps more.
fn id_in(parent: &str) -> Option<&str> {
    const LENGTH: usize = 55;
    let known = parent.get(..LENGTH)?;
    let rest = &parent[LENGTH..];
    let mut parts = known.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (span, flags) = (parts.next()?, parts.next()?);
    let is_whole = match version {
        "ff" => false,
        "00" => rest.is_empty(),
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    let shapes = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
    let is_shaped = shapes
        .iter()
        .all(|(part, length)| part.len() == *length && part.bytes().all(is_lower_hex));
    let is_named = [trace, span]
        .iter()
        .all(|part| part.bytes().any(|digit| digit != b'0'));
    (is_whole && is_shaped && is_named && parts.next().is_none()).then_some(trace)
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn valid_contexts_name_their_trace_and_others_nothing() {
        let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(id_in(&valid), Some(TRACE));
        for later in ["cc", "01"] {
            assert_eq!(id_in(&valid.replacen("00", later, 1)), Some(TRACE));
            let longer = format!("{}-what-may-come", valid.replacen("00", later, 1));
            assert_eq!(id_in(&longer), Some(TRACE));
        }
        for (from, to) in [
            ("00-4", "ff-4"),
            ("00-4", "0-4"),
            ("-01", ""),
            ("-01", "-01-more"),
            ("-01", "-1"),
            ("-01", "_01"),
            ("4bf9", "4BF9"),
            ("4bf9", "4bg9"),
            ("4bf9", "4bf"),
            (TRACE, "00000000000000000000000000000000"),
            ("00f067aa0ba902b7", "0000000000000000"),
            ("4bf92f3577b34da6", "4bf92f3577b34d-6"),
            ("4bf9", "é f9"),
        ] {
            let wrong = valid.replacen(from, to, 1);
            assert_eq!(id_in(&wrong), None, "{wrong}");
        }
        assert_eq!(
            id_in("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x"),
            None
        );
    }

    #[test]
    fn two_contexts_are_none() {
        let parent =
            HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let mut headers = HeaderMap::new();
        assert_eq!(id(&headers), None);
        headers.append(&PARENT, parent.clone());
        assert_eq!(id(&headers), Some(TRACE));
        headers.append(&PARENT, parent);
        assert_eq!(id(&headers), None);
    }
}
