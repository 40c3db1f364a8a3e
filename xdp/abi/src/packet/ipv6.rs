//! IPv6, RFC 8200: a bounded walk along the extension headers.

use super::{
    Address, Checks, Datagram, Facts, Frame, Malformed, Odd, odd,
    transport::{self, Place, Transport, ports},
};
use crate::{
    bytes::{Bytes, Forget as _, Window},
    rules::{CHECK_FRAGMENTS, CHECK_LAND, CHECK_LENGTHS, CHECK_MARTIANS},
};

/// How many extension headers are followed: RFC 8200, 4.1 knows six. A packet with more is malformed;
/// nobody sends that many but to get past a filter.
pub(super) const CHAIN: usize = 6;

/// Where a jumbogram ends (RFC 2675), whose length is in an option that is not read.
pub(super) const UNKNOWN_END: usize = usize::MAX >> 1;

const HEADER: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const ICMPV6: u8 = 58;
const DESTINATION: u8 = 60;
/// The longest payload, reassembled.
const LONGEST: usize = 65_535;
const MORE_FRAGMENTS: u16 = 1;
/// In bytes.
const FRAGMENT_OFFSET: u16 = !7;

const DHCP_ANSWER: u32 = ports(547, 546);
const PACKET_TOO_BIG: u8 = 2;

#[inline(always)]
pub(super) fn parse<B: Bytes + ?Sized>(
    bytes: &B,
    at: usize,
    checks: impl Checks,
) -> Result<Frame, Malformed> {
    let header = bytes.window::<HEADER>(at).ok_or(Malformed)?;
    if header.u8(0) >> 4 != 6 {
        return Err(Malformed);
    }
    let next = header.u8(6);
    let hops = header.u8(7);
    // Neighbour discovery is never forwarded: a hop limit of 255 says that it comes from this link (RFC 4861, 6.1).
    if next == ICMPV6 && hops == 255 && is_discovery(bytes, at + HEADER) {
        return Ok(Frame::NeighbourDiscovery);
    }
    let length = usize::from(header.u16(4));
    let jumbo = length == 0 && next == HOP_BY_HOP;
    let end = if jumbo {
        UNKNOWN_END
    } else {
        at + HEADER + length
    };
    let (source, destination) = (
        [header.u64(8), header.u64(16)],
        [header.u64(24), header.u64(32)],
    );
    let walked = walk(bytes, at + HEADER, end, next, checks)?.forgotten(bytes);
    let transport = walked.transport;
    let odd = transport
        .odd
        .with(odd(checks, CHECK_MARTIANS, Odd::MARTIAN, || {
            is_martian(bytes, source, destination, transport.protocol)
        }))
        .with(odd(checks, CHECK_LAND, Odd::LAND, || {
            source == destination && !bytes.is_looped()
        }))
        .with(odd(checks, CHECK_FRAGMENTS, Odd::FRAGMENT, || {
            walked.fragment != 0
        }))
        .with(odd(checks, CHECK_LENGTHS, Odd::LENGTH, || {
            !jumbo && (!bytes.reaches(end) || walked.ends_badly(end))
        }));
    let path_mtu = transport.protocol == ICMPV6 && transport.kind() == PACKET_TOO_BIG;
    let essential = path_mtu || is_essential(transport, source, hops);
    let facts = transport
        .facts
        .with(Facts::ESSENTIAL.when(essential))
        .with(Facts::PATH_MTU.when(path_mtu));
    Ok(Frame::Ip(Datagram {
        source: Address::v6(source[0], source[1]),
        protocol: transport.protocol,
        port: transport.port,
        icmp: transport.icmp,
        facts: facts
            .with(Facts::AUTHENTICATED.when(walked.kinds & AUTHENTICATED != 0))
            .forgotten(bytes),
        odd,
        network: at,
        transport: walked.at,
        end,
    }))
}

/// Router solicitation to redirect.
#[inline(always)]
fn is_discovery<B: Bytes + ?Sized>(bytes: &B, at: usize) -> bool {
    bytes
        .window::<4>(at)
        .is_some_and(|icmp| matches!(icmp.u8(0), 133..=137))
}

/// Whether no packet from a network may have these addresses (RFC 4291, 2.5).
///
/// A host that has no address yet sends ICMP from none: duplicate address detection, and its group reports.
#[inline(always)]
fn is_martian<B: Bytes + ?Sized>(
    bytes: &B,
    source: [u64; 2],
    destination: [u64; 2],
    protocol: u8,
) -> bool {
    if source[0] >> 56 == 0xff {
        return true;
    }
    let unspecified = source == [0, 0] && protocol != ICMPV6;
    let mapped = source[0] == 0 && source[1] >> 32 == 0xffff;
    let loopback = source == [0, 1] || destination == [0, 1];
    unspecified || mapped || loopback && !bytes.is_looped()
}

/// From the link itself an answer of DHCP, and the messages of multicast listener discovery (RFC 2710 and 3810: a hop
/// limit of one, and a link-local source or none).
#[inline(always)]
fn is_essential(transport: Transport, source: [u64; 2], hops: u8) -> bool {
    if transport.protocol == ICMPV6 {
        let report = matches!(transport.kind(), 130..=132 | 143);
        let linked = is_link_local(source) || source == [0, 0];
        return report && hops == 1 && linked;
    }
    transport.udp_ports == DHCP_ANSWER && is_link_local(source)
}

#[inline(always)]
fn is_link_local(address: [u64; 2]) -> bool {
    address[0] >> 54 == 0xfe80 >> 6
}

/// What is at the end of the chain.
struct Walked {
    transport: Transport,
    at: usize,
    /// The kinds of header on the way, by bit.
    kinds: u8,
    /// The fragment header's offset and flag; zero for a packet that is whole.
    fragment: u16,
    /// Where the fragment's part of the packet begins.
    part: usize,
}

impl Walked {
    /// The same without what led to it: see [`Bytes::forget`].
    #[inline(always)]
    fn forgotten<B: Bytes + ?Sized>(self, bytes: &B) -> Self {
        Self {
            transport: self.transport.forgotten(bytes),
            at: bytes.forget_size(self.at),
            kinds: bytes.forget_u8(self.kinds),
            fragment: bytes.forget_u16(self.fragment),
            part: bytes.forget_size(self.part),
        }
    }

    /// Whether it is a fragment that ends where none may, or beyond the longest packet.
    #[inline(always)]
    fn ends_badly(&self, end: usize) -> bool {
        if self.fragment == 0 {
            return false;
        }
        if self.part > end {
            return true;
        }
        let length = end - self.part;
        let uneven = self.fragment & MORE_FRAGMENTS != 0 && length & 7 != 0;
        uneven || usize::from(self.fragment & FRAGMENT_OFFSET) + length > LONGEST
    }
}

#[inline(always)]
fn walk<B: Bytes + ?Sized>(
    bytes: &B,
    mut at: usize,
    end: usize,
    mut next: u8,
    checks: impl Checks,
) -> Result<Walked, Malformed> {
    let (mut kinds, mut fragment, mut part) = (0, 0, 0);
    for _ in 0..CHAIN {
        let step = step(next);
        if step.kind == TRANSPORT {
            break;
        }
        let header = bytes.window::<8>(at).ok_or(Malformed)?;
        next = header.u8(0);
        at += step.length(header.u8(1));
        if step.kind == FRAGMENTED {
            // Every other one would say something else of the same packet.
            if kinds & FRAGMENTED != 0 {
                return Err(Malformed);
            }
            // The two reserved bits are nothing.
            fragment = header.u16(2) & (FRAGMENT_OFFSET | MORE_FRAGMENTS);
            part = at;
            if fragment & FRAGMENT_OFFSET != 0 {
                kinds |= LATER;
                break;
            }
        }
        kinds |= step.kind;
    }
    let walked = |transport| Walked {
        transport,
        at,
        kinds,
        fragment,
        part,
    };
    if kinds & LATER != 0 {
        if transport::is_overlapped(next, usize::from(fragment & FRAGMENT_OFFSET)) {
            return Err(Malformed);
        }
        return Ok(walked(transport::of_later_fragment(next, ICMPV6)));
    }
    if step(next).kind != TRANSPORT {
        return Err(Malformed);
    }
    let place = Place {
        at,
        end,
        fragmented: fragment != 0,
    };
    transport::parse(bytes, place, next, ICMPV6, checks).map(walked)
}

/// How long an extension header is: `((length field & keep) + add) * unit` bytes, 2056 at most.
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
const AUTHENTICATED: u8 = 4;
/// Set on the way: what follows is in another fragment.
const LATER: u8 = 8;

impl Step {
    const fn new(unit: u8, add: u8, keep: u8, kind: u8) -> Self {
        Self {
            unit,
            add,
            keep,
            kind,
        }
    }

    /// A verifier before Linux 6.10 knows no bounds of a product: the mask, which changes nothing, tells it one.
    #[inline(always)]
    fn length(self, field: u8) -> usize {
        ((usize::from(field & self.keep) + usize::from(self.add)) * usize::from(self.unit)) & 0xfff
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
    steps[AUTHENTICATION as usize] = Step::new(4, 2, 0xff, AUTHENTICATED);
    steps
};
