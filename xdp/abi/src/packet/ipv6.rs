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
        let step = step(next);
        if step.kind == TRANSPORT {
            return transport::parse(bytes, at, next, ICMPV6);
        }
        let header = bytes.window::<8>(at).ok_or(Malformed)?;
        next = header.u8(0);
        at += step.length(header.u8(1));
        if step.kind == FRAGMENTED && header.u16(2) & !7 != 0 {
            return Ok(transport::of_later_fragment(next, ICMPV6));
        }
    }
    Err(Malformed)
}

/// How long an extension header is: `((length field & keep) + add) * unit` bytes.
///
/// A table rather than branches: the verifier follows every combination of branches along the chain, and
/// a table has none.
#[derive(Clone, Copy)]
#[repr(C)]
struct Step {
    unit: u8,
    add: u8,
    keep: u8,
    kind: u8,
}

const TRANSPORT: u8 = 0;
const EXTENSION: u8 = 1;
const FRAGMENTED: u8 = 2;

impl Step {
    const fn new(unit: u8, add: u8, keep: u8, kind: u8) -> Self {
        Self {
            unit,
            add,
            keep,
            kind,
        }
    }

    #[inline(always)]
    fn length(self, field: u8) -> usize {
        (usize::from(field & self.keep) + usize::from(self.add & 3)) * usize::from(self.unit & 15)
    }
}

#[inline(always)]
fn step(number: u8) -> Step {
    STEPS[usize::from(number)]
}

static STEPS: [Step; 256] = {
    let mut steps = [Step::new(0, 0, 0, TRANSPORT); 256];
    // RFC 8200: in units of eight bytes, not counting the first.
    steps[HOP_BY_HOP as usize] = Step::new(8, 1, 0xff, EXTENSION);
    steps[ROUTING as usize] = Step::new(8, 1, 0xff, EXTENSION);
    steps[DESTINATION as usize] = Step::new(8, 1, 0xff, EXTENSION);
    // Always eight bytes: its second byte is reserved.
    steps[FRAGMENT as usize] = Step::new(8, 1, 0, FRAGMENTED);
    // RFC 4302: in units of four bytes, less two.
    steps[AUTHENTICATION as usize] = Step::new(4, 2, 0xff, EXTENSION);
    steps
};
