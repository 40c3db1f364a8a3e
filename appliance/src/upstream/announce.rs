//! Telling a server for whom a connection is: the PROXY protocol, by its specification of HAProxy.

use std::net::{IpAddr, SocketAddr};

use floodwall_config::ProxyVersion;

/// Who speaks to whom: the client, and the address of ours that it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub client: SocketAddr,
    pub ours: SocketAddr,
}

/// Version 2 begins with these bytes, which no other protocol does.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2, on behalf of another; the low bits are 0 when the connection is our own.
const PROXY: u8 = 0x21;
const LOCAL: u8 = 0x20;

/// TCP over IPv4 and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The header that a connection begins with; for nobody in particular without ends.
pub(super) fn header(version: ProxyVersion, ends: Option<Ends>) -> Vec<u8> {
    let ends = ends.map(Ends::of_one_family);
    match version {
        ProxyVersion::V1 => version_1(ends),
        ProxyVersion::V2 => version_2(ends),
    }
}

impl Ends {
    /// The protocol has one family for both: an IPv4 address becomes an IPv6 one where the other is.
    fn of_one_family(self) -> Self {
        let plain = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
        let (client, ours) = (plain(self.client), plain(self.ours));
        if client.is_ipv4() == ours.is_ipv4() {
            return Self { client, ours };
        }
        let wide = |at: SocketAddr| match at.ip() {
            IpAddr::V4(address) => SocketAddr::new(address.to_ipv6_mapped().into(), at.port()),
            IpAddr::V6(_) => at,
        };
        Self {
            client: wide(client),
            ours: wide(ours),
        }
    }
}

fn version_1(ends: Option<Ends>) -> Vec<u8> {
    let Some(Ends { client, ours }) = ends else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    format!(
        "PROXY {family} {} {} {} {}\r\n",
        client.ip(),
        ours.ip(),
        client.port(),
        ours.port()
    )
    .into_bytes()
}

fn version_2(ends: Option<Ends>) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let Some(Ends { client, ours }) = ends else {
        header.extend([LOCAL, 0, 0, 0]);
        return header;
    };
    let addresses: Vec<u8> = match (client.ip(), ours.ip()) {
        (IpAddr::V4(client), IpAddr::V4(ours)) => [client.octets(), ours.octets()].concat(),
        (client, ours) => [client, ours].map(octets_of_v6).concat(),
    };
    header.extend([PROXY, if client.is_ipv4() { TCP4 } else { TCP6 }]);
    // Twelve or thirty-six bytes.
    let length = u16::try_from(addresses.len() + 4).unwrap_or(u16::MAX);
    header.extend(length.to_be_bytes());
    header.extend(addresses);
    header.extend(client.port().to_be_bytes());
    header.extend(ours.port().to_be_bytes());
    header
}

fn octets_of_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(client: &str, ours: &str) -> Ends {
        Ends {
            client: client.parse().unwrap(),
            ours: ours.parse().unwrap(),
        }
    }

    #[test]
    fn version_1_is_a_line() {
        let said = |ends| String::from_utf8(header(ProxyVersion::V1, ends)).unwrap();
        assert_eq!(
            said(Some(ends("192.0.2.7:1234", "198.51.100.1:443"))),
            "PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n"
        );
        assert_eq!(
            said(Some(ends("[2001:db8::7]:1", "[::1]:2"))),
            "PROXY TCP6 2001:db8::7 ::1 1 2\r\n"
        );
        assert_eq!(
            said(Some(ends("[::ffff:192.0.2.7]:1", "192.0.2.1:2"))),
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"
        );
        assert_eq!(
            said(Some(ends("192.0.2.7:1", "[::1]:2"))),
            "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"
        );
        assert_eq!(said(None), "PROXY UNKNOWN\r\n");
    }

    #[test]
    fn version_2_is_bytes() {
        let header = |ends| header(ProxyVersion::V2, ends)[12..].to_vec();
        assert_eq!(
            header(Some(ends("192.0.2.7:258", "198.51.100.1:443"))),
            [
                0x21, 0x11, 0, 12, 192, 0, 2, 7, 198, 51, 100, 1, 1, 2, 1, 187
            ]
        );
        let six = header(Some(ends("[2001:db8::7]:1", "[::1]:2")));
        assert_eq!(
            (&six[..4], six.len(), six[19], six[35]),
            (&[0x21, 0x21, 0, 36][..], 40, 7, 1)
        );
        assert_eq!(header(None), [0x20, 0, 0, 0]);
    }
}
