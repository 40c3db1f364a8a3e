//! IPv6, RFC 8200: a bounded walk along the extension headers.

use super::{Address, Datagram, Frame, Malformed, Transport, transport};
use crate::bytes::{Bytes, Window};

/// How many extension headers are followed: RFC 8200, 4.1 knows six. A packet with more is malformed;
/// nobody sends that many but to get past a filter.
pub(super) const CHAIN: usize = 6;

const HEADER: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const ICMPV6: u8 = 58;
const DESTINATION: u8 = 60;

#[inline(always)]
pub(super) fn parse<B: Bytes + ?Sized>(bytes: &B, at: usize) -> Result<Frame, Malformed> {
    let header = bytes.window::<HEADER>(at).ok_or(Malformed)?;
    if header.u8(0) >> 4 != 6 {
        return Err(Malformed);
    }
    let next = header.u8(6);
    // Neighbour discovery is never forwarded: a hop limit of 255 says that it comes from this link (RFC 4861, 6.1).
    if next == ICMPV6 && header.u8(7) == 255 && is_discovery(bytes, at + HEADER) {
        return Ok(Frame::NeighbourDiscovery);
    }
    let transport = walk(bytes, at + HEADER, next)?;
    Ok(Frame::Ip(Datagram {
        source: Address::V6 {
            high: header.u64(8),
            low: header.u64(16),
        },
        protocol: transport.protocol,
        port: transport.port,
        opens: transport.opens,
    }))
}

/// Router solicitation to redirect.
#[inline(always)]
fn is_discovery<B: Bytes + ?Sized>(bytes: &B, at: usize) -> bool {
    bytes
        .window::<4>(at)
        .is_some_and(|icmp| matches!(icmp.u8(0), 133..=137))
}

#[inline(always)]
fn walk<B: Bytes + ?Sized>(bytes: &B, mut at: usize, mut next: u8) -> Result<Transport, Malformed> {
    for _ in 0..=CHAIN {
        let unit = match next {
            HOP_BY_HOP | ROUTING | DESTINATION | FRAGMENT => 8,
            AUTHENTICATION => 4,
            _ => return transport::parse(bytes, at, next, ICMPV6),
        };
        let header = bytes.window::<8>(at).ok_or(Malformed)?;
        let length = match next {
            FRAGMENT => 8,
            // RFC 4302 counts in words of four bytes, less two; the others in eight, less one.
            AUTHENTICATION => (usize::from(header.u8(1)) + 2) * unit,
            _ => (usize::from(header.u8(1)) + 1) * unit,
        };
        let later = next == FRAGMENT && header.u16(2) & !7 != 0;
        next = header.u8(0);
        at += length;
        if later {
            return Ok(transport::of_later_fragment(next, ICMPV6));
        }
    }
    Err(Malformed)
}
