//! IPv4, RFC 791: options are skipped, later fragments have no transport header.

use super::{
    Address, Checks, Datagram, Facts, Frame, Malformed, Odd, odd,
    transport::{self, Place, Transport, ports},
};
use crate::{
    bytes::{Bytes, Window},
    rules::{CHECK_FRAGMENTS, CHECK_LAND, CHECK_LENGTHS, CHECK_MARTIANS},
};

/// The header without options.
const HEADER: usize = 20;
/// The protocol number of IGMP.
const IGMP: u8 = 2;
pub(super) const ICMP: u8 = 1;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;
/// The longest datagram, reassembled.
const LONGEST: usize = 65_535;

const DHCP_ANSWER: u32 = ports(67, 68);
const DHCP_QUESTION: u32 = ports(68, 67);
/// Destination unreachable: fragmentation needed (RFC 1191).
const FRAGMENTATION_NEEDED: u16 = 3 << 8 | 4;

#[inline(always)]
pub(super) fn parse<B: Bytes + ?Sized>(
    bytes: &B,
    at: usize,
    checks: impl Checks,
) -> Result<Frame, Malformed> {
    let header = bytes.window::<HEADER>(at).ok_or(Malformed)?;
    let first_byte = header.u8(0);
    let length = usize::from(first_byte & 0x0f) * 4;
    if first_byte >> 4 != 4 || length < HEADER {
        return Err(Malformed);
    }
    let total = usize::from(header.u16(2));
    let fragment = Fragment(header.u16(6));
    let place = Place {
        at: at + length,
        end: at + total,
        fragmented: fragment.is_any(),
    };
    let transport = transport(bytes, place, fragment, header.u8(9), checks)?.forgotten(bytes);
    let source = header.u32(12);
    let destination = header.u32(16);
    let nameless = transport.udp_ports == DHCP_QUESTION || header.u8(9) == IGMP;
    let odd = transport
        .odd
        .with(odd(checks, CHECK_MARTIANS, Odd::MARTIAN, || {
            is_martian(bytes, source, destination, nameless)
        }))
        .with(odd(checks, CHECK_LAND, Odd::LAND, || {
            source == destination && !bytes.is_looped()
        }))
        .with(odd(checks, CHECK_FRAGMENTS, Odd::FRAGMENT, || {
            fragment.is_any()
        }))
        .with(odd(checks, CHECK_LENGTHS, Odd::LENGTH, || {
            total < length || !bytes.reaches(place.end) || fragment.is_bad(total, length)
        }));
    let path_mtu = transport.message == FRAGMENTATION_NEEDED;
    let essential = transport.udp_ports == DHCP_ANSWER || path_mtu;
    Ok(Frame::Ip(Datagram {
        source: Address::v4(source),
        protocol: transport.protocol,
        port: transport.port,
        icmp: transport.icmp,
        facts: transport
            .facts
            .with(Facts::ESSENTIAL.when(essential))
            .with(Facts::PATH_MTU.when(path_mtu))
            .forgotten(bytes),
        odd,
        network: at,
        transport: place.at,
        end: place.end,
    }))
}

#[inline(always)]
fn transport<B: Bytes + ?Sized>(
    bytes: &B,
    place: Place,
    fragment: Fragment,
    number: u8,
    checks: impl Checks,
) -> Result<Transport, Malformed> {
    if fragment.offset() == 0 {
        return transport::parse(bytes, place, number, ICMP, checks);
    }
    if transport::is_overlapped(number, usize::from(fragment.offset()) * 8) {
        return Err(Malformed);
    }
    bytes.window::<0>(place.at).ok_or(Malformed)?;
    Ok(transport::of_later_fragment(number, ICMP))
}

/// The field of fragmentation flags and offset.
#[derive(Clone, Copy)]
struct Fragment(u16);

impl Fragment {
    #[inline(always)]
    fn is_any(self) -> bool {
        self.0 & (MORE_FRAGMENTS | FRAGMENT_OFFSET) != 0
    }

    /// In units of eight bytes.
    #[inline(always)]
    fn offset(self) -> u16 {
        self.0 & FRAGMENT_OFFSET
    }

    /// Whether it ends where no fragment may, or beyond the longest datagram.
    #[inline(always)]
    fn is_bad(self, total: usize, header: usize) -> bool {
        let uneven = self.0 & MORE_FRAGMENTS != 0 && (total - header) & 7 != 0;
        uneven || usize::from(self.offset()) * 8 + total > LONGEST
    }
}

/// Whether no packet from a network may have these addresses (RFC 1122, 3.2.1.3).
///
/// What is `nameless` may come from nobody: a host that asks for an address, and IGMP of a host or a switch that has
/// none (RFC 4541, 2.1.1).
#[inline(always)]
fn is_martian<B: Bytes + ?Sized>(bytes: &B, source: u32, destination: u32, nameless: bool) -> bool {
    let unspecified = source >> 24 == 0 && !(source == 0 && nameless);
    let loopback = source >> 24 == 127 || destination >> 24 == 127;
    let multicast = source >> 28 == 14;
    let broadcast = source == u32::MAX;
    unspecified || multicast || broadcast || loopback && !bytes.is_looped()
}
