//! Who is asking: the TCP peer, unless the peer is trusted to say who it speaks for.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use floodwall_limiter::{KeyHash, Secret, Source};
use http::{HeaderMap, HeaderName};

use crate::{generation::Clients, networks::Networks, server::peer::Peer};

/// The client of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// The address as limits count it, its host bits cut off.
    pub source: Source,
    /// How many bits of the address are not cut off.
    pub prefix: u8,
    /// The client is the TCP peer itself, and not a trusted proxy.
    pub direct: bool,
    /// The peer may say for whom it asks.
    pub peer_is_trusted: bool,
}

impl Client {
    /// What limits by client count it under: the same hash as the pre-filter's for the same source.
    #[inline]
    pub fn key(&self, secret: Secret) -> KeyHash {
        KeyHash::of_source(secret, self.source)
    }

    /// Whom limits count: an address, or the network that it is taken for, such as `2001:db8:1:2::/64`.
    pub fn counted_as(&self) -> impl fmt::Display {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        let (source, prefix) = (self.source, self.prefix);
        fmt::from_fn(move |f| {
            write!(f, "{source:?}")?;
            if prefix < bits {
                write!(f, "/{prefix}")?;
            }
            Ok(())
        })
    }
}

/// Tells the client of a request from its peer and its headers.
///
/// The forwarded header is read from the right, past the hops that are trusted. A hop that is not an
/// address ends the walk: the last trusted hop before it is the best that is known. When all hops are trusted,
/// the leftmost one asks. Whoever may open a unix socket of ours is trusted.
pub fn identify(clients: &Clients, from: Peer, headers: &HeaderMap) -> Client {
    let peer = from.counted_as();
    let trusted = from == Peer::Local || clients.trusted.contains(peer);
    let address = match &clients.forwarded_header {
        Some(name) if trusted => forwarded_for(&clients.trusted, peer, name, headers),
        _ => peer,
    };
    Client {
        address,
        source: Source::of(address, clients.prefixes),
        prefix: match address {
            IpAddr::V4(_) => clients.prefixes.v4,
            IpAddr::V6(_) => clients.prefixes.v6,
        },
        direct: from.is_direct() && !trusted,
        peer_is_trusted: trusted,
    }
}

fn forwarded_for(
    trusted: &Networks,
    peer: IpAddr,
    name: &HeaderName,
    headers: &HeaderMap,
) -> IpAddr {
    let mut client = peer;
    for field in headers.get_all(name).iter().rev() {
        let Ok(field) = field.to_str() else {
            return client;
        };
        for hop in field.rsplit(',') {
            let address = if *name == http::header::FORWARDED {
                forwarded_element(hop)
            } else {
                hop_address(hop)
            };
            let Some(address) = address else {
                return client;
            };
            client = address.to_canonical();
            if !trusted.contains(client) {
                return client;
            }
        }
    }
    client
}

/// The `for` of one element of RFC 7239's `Forwarded`.
fn forwarded_element(element: &str) -> Option<IpAddr> {
    element
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| key.eq_ignore_ascii_case("for"))
        .and_then(|(_, value)| hop_address(value.trim_matches('"')))
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(hop);
    bare.parse().ok().or_else(|| {
        hop.parse::<SocketAddr>()
            .ok()
            .map(|with_port| with_port.ip())
    })
}

#[cfg(test)]
mod tests {
    use floodwall_limiter::Prefixes;

    use super::*;

    fn clients(header: &str) -> Clients {
        Clients {
            trusted: Networks::new(&["10.0.0.0/8".parse().unwrap()]),
            allowed: Networks::default(),
            forwarded_header: Some(HeaderName::from_bytes(header.as_bytes()).unwrap()),
            prefixes: Prefixes::default(),
        }
    }

    fn direct(address: &str) -> Peer {
        address.parse::<IpAddr>().unwrap().into()
    }

    fn identified(header: &'static str, peer: &str, fields: &[&str]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header, field.parse().unwrap());
        }
        let client = identify(&clients(header), direct(peer), &headers);
        (client.address.to_string(), client.direct)
    }

    #[test]
    fn the_walk_from_the_right_stops_at_the_first_stranger() {
        for (peer, fields, client, direct) in [
            ("192.0.2.1", &["203.0.113.9"] as &[_], "192.0.2.1", true),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9", false),
            (
                "10.0.0.1",
                &["1.1.1.1, 203.0.113.9, 10.0.0.2"],
                "203.0.113.9",
                false,
            ),
            (
                "10.0.0.1",
                &["1.1.1.1", "203.0.113.9"],
                "203.0.113.9",
                false,
            ),
            ("10.0.0.1", &["10.3.3.3, 10.0.0.2"], "10.3.3.3", false),
            (
                "10.0.0.1",
                &["203.0.113.9, nonsense, 10.0.0.2"],
                "10.0.0.2",
                false,
            ),
            ("10.0.0.1", &[], "10.0.0.1", false),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9", false),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1", false),
            ("10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9", false),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9", false),
        ] {
            assert_eq!(
                identified("x-forwarded-for", peer, fields),
                (client.to_owned(), direct),
                "{peer} {fields:?}"
            );
        }
    }

    #[test]
    fn the_standard_header_is_understood() {
        let fields = ["for=1.1.1.1, For=\"[2001:db8::7]:80\";proto=https, for=10.0.0.5"];
        assert_eq!(
            identified("forwarded", "10.0.0.1", &fields),
            ("2001:db8::7".to_owned(), false)
        );
        assert_eq!(
            identified("forwarded", "10.0.0.1", &["for=_hidden"]),
            ("10.0.0.1".to_owned(), false)
        );
    }

    #[test]
    fn what_a_load_balancer_tells_is_believed_but_never_blocked() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "203.0.113.9".parse().unwrap());
        let clients = clients("x-forwarded-for");
        let of = |peer: Peer| {
            let client = identify(&clients, peer, &headers);
            (
                client.address.to_string(),
                client.direct,
                client.peer_is_trusted,
            )
        };
        let told = |address: &str| Peer::Told(SocketAddr::new(address.parse().unwrap(), 1));
        assert_eq!(
            of(told("192.0.2.1")),
            ("192.0.2.1".to_owned(), false, false)
        );
        assert_eq!(
            of(told("10.0.0.1")),
            ("203.0.113.9".to_owned(), false, true)
        );
        assert_eq!(of(Peer::Local), ("203.0.113.9".to_owned(), false, true));
        let alone = identify(&clients, Peer::Local, &HeaderMap::new());
        assert_eq!(alone.address.to_string(), "127.0.0.1");
    }

    #[test]
    fn ipv6_clients_count_as_their_64() {
        let clients = clients("x-forwarded-for");
        let of = |address: &str| identify(&clients, direct(address), &HeaderMap::new()).source;
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}
