//! By which names the admin address may be asked, and by whose pages.
//!
//! A page of a stranger can make a browser ask a loopback address, under a name that the stranger lets point there (DNS
//! rebinding), and read the answer as its own. It cannot do so under a name that is not the stranger's, and no address
//! is one.

use std::net::{Ipv4Addr, Ipv6Addr};

use floodwall_config::HostPattern;
use http::{Request, header, uri::Authority};

use crate::route::host_matches;

/// The name a request asks for that nobody gave this service; none when all is well.
pub(super) fn strange<'r, B>(request: &'r Request<B>, names: &[HostPattern]) -> Option<&'r [u8]> {
    let fields = request.headers().get_all(header::HOST).iter();
    let fields = fields.map(http::HeaderValue::as_bytes);
    let target = request.uri().authority();
    target
        .map(|authority| authority.as_str().as_bytes())
        .into_iter()
        .chain(fields)
        .find(|authority| !is_ours(authority, names))
}

/// Whether a page of another site asks, other than by a link to here. It could not read the answer, but it could take the
/// places of readers. Browsers say so to loopback addresses and over TLS.
pub(super) fn is_lured<B>(request: &Request<B>) -> bool {
    let says = |name| request.headers().get(name).map(http::HeaderValue::as_bytes);
    let elsewhere = matches!(says("sec-fetch-site"), Some(b"cross-site" | b"same-site"));
    elsewhere && says("sec-fetch-mode") != Some(b"navigate")
}

fn is_ours(authority: &[u8], names: &[HostPattern]) -> bool {
    let Ok(authority) = Authority::try_from(authority) else {
        return false;
    };
    let host = authority.host();
    if is_address(host) {
        return true;
    }
    // With a dot at its end a name is the same one.
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = host.to_ascii_lowercase();
    // RFC 6761: resolvers keep these to themselves.
    host == "localhost"
        || host.ends_with(".localhost")
        || names.iter().any(|name| host_matches(name, &host))
}

fn is_address(host: &str) -> bool {
    let v6 = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str) -> bool {
        let request = Request::get("/").header("host", host).body(()).unwrap();
        let names = [
            HostPattern::Exact("edge.example.org".to_owned()),
            HostPattern::Suffix(".cluster.local".to_owned()),
        ];
        strange(&request, &names).is_none()
    }

    #[test]
    fn addresses_localhost_and_given_names_are_ours() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9901",
            "10.1.2.3:80",
            "[::1]:9901",
            "[fe80::1]",
            "localhost",
            "LocalHost.:9901",
            "floodwall.localhost",
            "edge.example.org:9901",
            "EDGE.example.org.",
            "floodwall.cluster.local:9901",
        ] {
            assert!(asked(host), "{host}");
        }
    }

    #[test]
    fn names_of_strangers_are_not() {
        for host in [
            "rebound.test",
            "127.0.0.1.rebound.test:9901",
            "localhost.rebound.test",
            "notlocalhost",
            "example.org",
            "edge.example.org.rebound.test",
            "rebound.test@",
            "[::1",
            "1.2.3",
            "",
        ] {
            assert!(!asked(host), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_may_link_here_and_no_more() {
        let lured = |site: &str, mode: &str| {
            let request = Request::get("/")
                .header("sec-fetch-site", site)
                .header("sec-fetch-mode", mode);
            is_lured(&request.body(()).unwrap())
        };
        assert!(lured("cross-site", "cors") && lured("same-site", "no-cors"));
        assert!(!lured("cross-site", "navigate"));
        assert!(!lured("same-origin", "cors") && !lured("none", "navigate"));
        assert!(!is_lured(&Request::get("/").body(()).unwrap()));
    }

    #[test]
    fn every_name_of_a_request_counts() {
        let request = |uri: &str, hosts: &[&str]| {
            let mut request = Request::get(uri);
            for host in hosts {
                request = request.header("host", *host);
            }
            strange(&request.body(()).unwrap(), &[]).is_none()
        };
        // Browsers always say one; who says none is no browser.
        assert!(request("/", &[]));
        assert!(!request("http://rebound.test/", &["127.0.0.1"]));
        assert!(!request("/", &["127.0.0.1", "rebound.test"]));
    }
}
