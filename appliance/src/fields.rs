//! Header fields: those whose value is a list (RFC 9110, 5.6.1), and which of several are there.

use http::{HeaderMap, HeaderName};
use pingora_http::ResponseHeader;
use smallvec::SmallVec;

/// The members of a list, over all its fields, as they are written. Empty ones are none.
pub fn members<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    let fields = headers.get_all(name).iter();
    fields
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Those that are text, which all that have a meaning are.
pub fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    members(headers, name).filter_map(|member| str::from_utf8(member).ok())
}

/// Which of some names are there. One look over all fields costs less than a few lookups, for each of which its name is
/// hashed.
pub fn present<'n>(headers: &HeaderMap, names: &'n [HeaderName]) -> SmallVec<[&'n HeaderName; 4]> {
    let keys = headers.keys();
    keys.filter_map(|key| names.iter().find(|name| *name == key))
        .collect()
}

/// Takes off a response whatever goes by one of these names.
pub fn remove(response: &mut ResponseHeader, names: &[HeaderName]) {
    for name in present(&response.headers, names) {
        response.remove_header(name);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::CONNECTION};

    use super::*;

    #[test]
    fn a_list_goes_over_fields_and_over_what_is_no_text() {
        let mut headers = HeaderMap::new();
        let fields: [&[u8]; 4] = [b"close, \t, x-a ,,", b"", b"\xff, x-b", b"X-C"];
        for field in fields {
            headers.append(CONNECTION, HeaderValue::from_bytes(field).unwrap());
        }
        let found: Vec<_> = words(&headers, &CONNECTION).collect();
        assert_eq!(found, ["close", "x-a", "x-b", "X-C"]);
        assert_eq!(members(&headers, &CONNECTION).count(), 5);
    }
}
