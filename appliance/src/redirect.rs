//! Where a client is told to ask instead.

use std::fmt::Write;

use floodwall_config::{Location, Redirect, RedirectPath, Segment, Template};
use http::header;
use pingora_error::Result;
use pingora_http::ResponseHeader;

use crate::{facts::Facts, refusal::Answer};

/// The answer: a status and a `Location`.
///
/// # Errors
/// Never: the address is visible ASCII.
pub fn answer(redirect: &Redirect, authority: &str, facts: &Facts<'_>) -> Result<Answer> {
    let mut header = Box::new(ResponseHeader::build(redirect.status, Some(4))?);
    header.insert_header(header::LOCATION, location(redirect, authority, facts))?;
    header.insert_header(header::CONTENT_LENGTH, 0)?;
    let body = String::new();
    Ok(Answer { header, body })
}

/// The address. `authority` is the client's `Host`, with its port.
///
/// What variables put into it is percent-encoded where it could not stand in an address, and an address on the client's
/// own host begins with one slash only: `//name` would be another host.
pub fn location(redirect: &Redirect, authority: &str, facts: &Facts<'_>) -> String {
    let mut address = match &redirect.location {
        Location::Whole(template) => {
            let address = filled(template, facts);
            if address.starts_with('/') {
                one_slash(&address)
            } else {
                address
            }
        }
        Location::Parts { scheme, host, path } => {
            let scheme = scheme.unwrap_or(facts.scheme);
            let host = host.as_deref().unwrap_or(authority);
            let path = match path {
                None => one_slash(facts.request.path),
                Some(RedirectPath::Changed(change)) => change.of(facts.request.path),
                Some(RedirectPath::Whole(template)) => one_slash(&filled(template, facts)),
            };
            let mut address = format!("{scheme}://");
            encode(host, &mut address);
            encode(&path, &mut address);
            address
        }
    };
    if let Some(query) = facts.request.query
        && redirect.keeps_query
        && !address.contains('?')
    {
        address.push('?');
        encode(query, &mut address);
    }
    address
}

fn filled(template: &Template, facts: &Facts<'_>) -> String {
    let mut address = String::new();
    for segment in &template.segments {
        match segment {
            Segment::Text(text) => address.push_str(text),
            Segment::Variable(variable) => encode(&facts.value(variable), &mut address),
        }
    }
    address
}

fn one_slash(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

/// Appends what may stand in an address as it is, and everything else in percent signs.
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
        if plain {
            into.push(char::from(byte));
        } else {
            // A `String` takes everything.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use floodwall_config::{Action, Config};
    use http::HeaderMap;

    use super::*;
    use crate::request::RequestView;

    /// Where a redirect sends `https://shop.example:8443` with this target.
    fn sent(redirect: &str, target: &str) -> String {
        let text = format!(
            "
listeners: {{ web: {{ address: 127.0.0.1:8080 }} }}
routes: [{{ name: all, match: {{ path_prefix: /old }}, redirect: {redirect} }}]
"
        );
        let config = Config::from_text(&text, std::path::Path::new("f.yaml")).unwrap();
        let Action::Redirect(redirect) = &config.routes[0].action else {
            panic!("no redirect")
        };
        let mut headers = HeaderMap::new();
        headers.insert("cookie", "lang=de".parse().unwrap());
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let facts = Facts {
            request: RequestView {
                method: "GET",
                host: "shop.example",
                path,
                query,
                headers: &headers,
            },
            client: address,
            peer: Some(address),
            listener: "web",
            scheme: "https",
            route: "all",
            upstream: "",
            generation: 1,
            request_id: "7",
        };
        location(redirect, "shop.example:8443", &facts)
    }

    #[test]
    fn parts_are_changed_and_the_query_stays() {
        for (redirect, target, expected) in [
            (
                "{ scheme: http }",
                "/old?a=1",
                "http://shop.example:8443/old?a=1",
            ),
            (
                "{ host: new.example }",
                "/old/x",
                "https://new.example/old/x",
            ),
            (
                "{ path: /new }",
                "/old?a=1",
                "https://shop.example:8443/new?a=1",
            ),
            (
                "{ path: '/${cookie.lang}${path}' }",
                "/old",
                "https://shop.example:8443/de/old",
            ),
            (
                "{ path_prefix: /new }",
                "/old/a?b",
                "https://shop.example:8443/new/a?b",
            ),
            (
                "{ path_prefix: /, query: drop }",
                "/old/a?b",
                "https://shop.example:8443/a",
            ),
            (
                "{ path_regex: { pattern: '^/old/([0-9]+)', replacement: '/n/$1' } }",
                "/old/7/x",
                "https://shop.example:8443/n/7/x",
            ),
        ] {
            assert_eq!(sent(redirect, target), expected, "{redirect} {target}");
        }
    }

    #[test]
    fn a_whole_address_is_taken_as_it_is_written() {
        for (to, target, expected) in [
            (
                "https://new.example/",
                "/old?a=1",
                "https://new.example/?a=1",
            ),
            (
                "https://new.example/?from=${path}",
                "/old?a=1",
                "https://new.example/?from=/old",
            ),
            (
                "https://${host}/x?${query}&y",
                "/old?a=1",
                "https://shop.example/x?a=1&y",
            ),
            ("/login?back=${path}", "/old", "/login?back=/old"),
            ("/a$${b}", "/old", "/a${b}"),
        ] {
            let redirect = format!("{{ to: '{to}' }}");
            assert_eq!(sent(&redirect, target), expected, "{to} {target}");
        }
    }

    #[test]
    fn no_request_gets_out_of_the_address() {
        for (redirect, target, expected) in [
            (
                "{ to: '/${query.to}' }",
                "/old?to=/evil.example",
                "/evil.example?to=/evil.example",
            ),
            (
                "{ to: '/${query.to}', query: drop }",
                "/old?to=%0d%0aa:b",
                "/%0D%0Aa:b",
            ),
            (
                "{ path: '/${query.to}', query: drop }",
                "/old?to=//e",
                "https://shop.example:8443/e",
            ),
            (
                "{ to: 'https://a/${query.to}', query: drop }",
                "/old?to=%22%3C%C3%A9",
                "https://a/%22%3C%C3%A9",
            ),
        ] {
            assert_eq!(sent(redirect, target), expected, "{redirect} {target}");
        }
    }
}
