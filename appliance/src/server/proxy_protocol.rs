//! The PROXY protocol, versions 1 and 2, as a load balancer sends it (haproxy.org, `proxy-protocol.txt`).
//!
//! A pure function of the bytes so far. It is strict where the text is: what is not a header is no client's
//! bad luck but somebody else's connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header that is taken, in bytes: addresses, and what else a balancer wants to tell.
pub(super) const LONGEST: usize = 4096;

/// The longest header of version 1, its line's end included.
const LONGEST_LINE: usize = 107;

/// What every header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of version 2 before the addresses.
const FIXED: usize = 16;

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// What is there can be the beginning of one.
    Partial,
    Whole {
        /// Whom the connection is for; none when it is the balancer's own, such as a health check, or for
        /// somebody without an IP address.
        source: Option<SocketAddr>,
        /// Bytes of the header.
        length: usize,
    },
}

/// Bytes that are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads the header at the beginning of a connection.
///
/// # Errors
/// [`Malformed`] as soon as no further byte could make it one.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    if begins(bytes, SIGNATURE) {
        binary(bytes)
    } else if begins(bytes, b"PROXY ") {
        line(bytes)
    } else {
        Err(Malformed)
    }
}

/// Whether the bytes, as far as they have come, are those of the prefix.
fn begins(bytes: &[u8], prefix: &[u8]) -> bool {
    let common = bytes.len().min(prefix.len());
    bytes[..common] == prefix[..common]
}

fn line(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let most = bytes.len().min(LONGEST_LINE);
    let Some(end) = bytes[..most].windows(2).position(|pair| pair == b"\r\n") else {
        return if most < LONGEST_LINE {
            Ok(Parsed::Partial)
        } else {
            Err(Malformed)
        };
    };
    let text = str::from_utf8(&bytes[..end]).map_err(|_| Malformed)?;
    let source = match text.split(' ').collect::<Vec<_>>()[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, source, destination, port, other_port] => {
            address(family, destination)?;
            self::port(other_port)?;
            Some(SocketAddr::new(address(family, source)?, self::port(port)?))
        }
        _ => return Err(Malformed),
    };
    Ok(Parsed::Whole {
        source,
        length: end + 2,
    })
}

fn address(family: &str, text: &str) -> Result<IpAddr, Malformed> {
    match family {
        "TCP4" => text.parse().map(IpAddr::V4).map_err(|_| Malformed),
        "TCP6" => text.parse().map(IpAddr::V6).map_err(|_| Malformed),
        _ => Err(Malformed),
    }
}

fn port(text: &str) -> Result<u16, Malformed> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| plain).ok_or(Malformed)
}

fn binary(bytes: &[u8]) -> Result<Parsed, Malformed> {
    // Each byte is judged as soon as it is there.
    let command = match bytes.get(12) {
        None => return Ok(Parsed::Partial),
        Some(0x20) => Command::Local,
        Some(0x21) => Command::Proxy,
        Some(_) => return Err(Malformed),
    };
    let Some(&[family, high, low]) = bytes.get(13..FIXED).and_then(|rest| rest.first_chunk())
    else {
        return Ok(Parsed::Partial);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(Malformed);
    }
    let Some(rest) = bytes.get(FIXED..length) else {
        return Ok(Parsed::Partial);
    };
    let source = match (command, family) {
        (Command::Proxy, TCP_OVER_IPV4) => Some(source_v4(rest).ok_or(Malformed)?),
        (Command::Proxy, TCP_OVER_IPV6) => Some(source_v6(rest).ok_or(Malformed)?),
        // Its own, or a datagram or a unix socket at the far end: the receiver is to go by the connection itself.
        (Command::Local, _) | (Command::Proxy, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => None,
        (Command::Proxy, _) => return Err(Malformed),
    };
    Ok(Parsed::Whole { source, length })
}

enum Command {
    Local,
    Proxy,
}

const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Source and destination, then their ports; what follows is for others.
fn source_v4(rest: &[u8]) -> Option<SocketAddr> {
    let addresses = rest.get(..12)?;
    let source: [u8; 4] = *addresses.first_chunk()?;
    let port = u16::from_be_bytes([addresses[8], addresses[9]]);
    Some(SocketAddr::new(Ipv4Addr::from(source).into(), port))
}

fn source_v6(rest: &[u8]) -> Option<SocketAddr> {
    let addresses = rest.get(..36)?;
    let source: [u8; 16] = *addresses.first_chunk()?;
    let port = u16::from_be_bytes([addresses[32], addresses[33]]);
    Some(SocketAddr::new(Ipv6Addr::from(source).into(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(source: Option<&str>, length: usize) -> Parsed {
        let source = source.map(|source| source.parse().unwrap());
        Parsed::Whole { source, length }
    }

    /// A header of version 2.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[test]
    fn lines_are_read_strictly() {
        for (line, expected) in [
            (
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n",
                Ok(whole(Some("192.0.2.1:4711"), 44)),
            ),
            (
                "PROXY TCP6 2001:db8::1 ::1 1 2\r\nGET /",
                Ok(whole(Some("[2001:db8::1]:1"), 32)),
            ),
            ("PROXY UNKNOWN\r\n", Ok(whole(None, 15))),
            (
                "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
                Ok(whole(None, 43)),
            ),
            ("PROXY TCP4 192.0.2.1", Ok(Parsed::Partial)),
            ("PR", Ok(Parsed::Partial)),
            ("", Ok(Parsed::Partial)),
            ("GET / HTTP/1.1\r\n", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n", Err(Malformed)),
            ("PROXY TCP4 2001:db8::1 ::1 1 2\r\n", Err(Malformed)),
            ("PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n", Err(Malformed)),
            (
                "PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n",
                Err(Malformed),
            ),
            ("PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n", Err(Malformed)),
            ("PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", Err(Malformed)),
            ("proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n", Err(Malformed)),
        ] {
            assert_eq!(parse(line.as_bytes()), expected, "{line:?}");
        }
        let endless = format!("PROXY UNKNOWN {}", "x".repeat(100));
        assert_eq!(parse(endless.as_bytes()), Err(Malformed));
    }

    #[test]
    fn binary_headers_say_whom_they_are_for_and_more_that_is_skipped() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 1, 187];
        let header = v2(0x21, 0x11, &v4);
        assert_eq!(parse(&header), Ok(whole(Some("192.0.2.1:4711"), 28)));
        let more = v2(0x21, 0x11, &[&v4[..], b"\x04\x00\x01x"].concat());
        assert_eq!(parse(&more), Ok(whole(Some("192.0.2.1:4711"), 32)));
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[33] = 7;
        assert_eq!(parse(&v2(0x21, 0x21, &v6)), Ok(whole(Some("[::1]:7"), 52)));
        assert_eq!(parse(&v2(0x20, 0x11, &v4)), Ok(whole(None, 28)), "its own");
        assert_eq!(parse(&v2(0x20, 0, &[])), Ok(whole(None, 16)));
        assert_eq!(parse(&v2(0x21, 0x31, &[0; 216])), Ok(whole(None, 232)));
        for wrong in [
            v2(0x11, 0x11, &v4),
            v2(0x22, 0x11, &v4),
            v2(0x21, 0x11, &v4[..11]),
            v2(0x21, 0x21, &v4),
            v2(0x21, 0x41, &v4),
            v2(0x21, 0x11, &[0; LONGEST]),
        ] {
            assert_eq!(parse(&wrong), Err(Malformed), "{wrong:?}");
        }
    }

    fn header() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<(Ipv4Addr, u16)>().prop_map(|(address, port)| {
                format!("PROXY TCP4 {address} 192.0.2.1 {port} 80\r\n").into_bytes()
            }),
            any::<[u8; 12]>().prop_map(|rest| v2(0x21, 0x11, &rest)),
            proptest::collection::vec(any::<u8>(), 36..100).prop_map(|rest| v2(0x21, 0x21, &rest)),
        ]
    }

    proptest! {
        #[test]
        fn a_header_is_partial_until_its_last_byte_whatever_follows(
            header in header(),
            tail in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            for end in 0..header.len() {
                prop_assert_eq!(parse(&header[..end]), Ok(Parsed::Partial));
            }
            let all = parse(&[&header[..], &tail].concat());
            prop_assert_eq!(all, parse(&header));
            let whole = matches!(all, Ok(Parsed::Whole { length, .. }) if length == header.len());
            prop_assert!(whole);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let _ = parse(&[&SIGNATURE[..], &bytes].concat());
            let _ = parse(&[&b"PROXY "[..], &bytes].concat());
        }
    }
}
