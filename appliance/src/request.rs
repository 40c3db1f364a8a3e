//! What the rules may ask of a request: its parts as text, wherever they came from.

use std::borrow::Cow;

use http::HeaderMap;

/// The parts of a request that routes, limits and keys look at.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    pub method: &'a str,
    /// Without port; compared without regard to case.
    pub host: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
}

/// The host of an authority: without its port, and without the dot that may end a name (RFC 3986, 3.2.2).
pub fn host_of(authority: &str) -> &str {
    let at = |byte| authority.bytes().position(|other| other == byte);
    let end = if authority.starts_with('[') {
        at(b']').map(|bracket| bracket + 1)
    } else {
        at(b':')
    };
    let host = &authority[..end.unwrap_or(authority.len())];
    host.strip_suffix('.').unwrap_or(host)
}

impl<'a> RequestView<'a> {
    /// The first value of a header, when it is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first value of a cookie, over all `Cookie` fields.
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        self.headers
            .get_all(http::header::COOKIE)
            .iter()
            .filter_map(|field| field.to_str().ok())
            .flat_map(|field| field.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then(|| value.trim_matches('"')))
    }

    /// The first value of a query parameter, percent-decoded. A parameter without `=` is empty.
    pub fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key) == name).then(|| decoded(value))
        })
    }
}

/// Decodes `%41` and `+`; what is not valid stays as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|b| b == b'%' || b == b'+') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            _ => out.push(*first),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<'a>(query: Option<&'a str>, headers: &'a HeaderMap) -> RequestView<'a> {
        RequestView {
            method: "GET",
            host: "example.org",
            path: "/",
            query,
            headers,
        }
    }

    #[test]
    fn reads_cookies_over_several_fields() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", "a=1; uid=\"42\"".parse().unwrap());
        headers.append("cookie", "b=2".parse().unwrap());
        let request = view(None, &headers);
        assert_eq!(request.cookie("uid"), Some("42"));
        assert_eq!(request.cookie("b"), Some("2"));
        assert_eq!(request.cookie("c"), None);
    }

    #[test]
    fn a_host_is_its_name_alone() {
        for (authority, host) in [
            ("a.example", "a.example"),
            ("a.example:80", "a.example"),
            ("a.example.:80", "a.example"),
            ("a.example.", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("192.0.2.1:", "192.0.2.1"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host, "{authority}");
        }
    }

    #[test]
    fn decodes_query_values() {
        let headers = HeaderMap::new();
        let request = view(Some("a=1&n%61me=x%2Fy+z&flag&bad=%zz%4"), &headers);
        assert_eq!(request.query_value("name").as_deref(), Some("x/y z"));
        assert_eq!(request.query_value("flag").as_deref(), Some(""));
        assert_eq!(request.query_value("bad").as_deref(), Some("%zz%4"));
        assert_eq!(request.query_value("none"), None);
    }
}
