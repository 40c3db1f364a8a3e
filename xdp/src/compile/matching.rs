//! Which packets a limit takes, as bits in the tables that the program looks a packet up in.

use floodwall_limiter::Prefixes;
use floodwall_xdp_abi::{
    self as abi, Icmp,
    rules::{KEY_NONE, KEY_OWN_SOURCE, KEY_OWN_SOURCE_PORT, KEY_PORT, KEY_SOURCE, KEY_SOURCE_PORT},
};

use crate::{IcmpType, Over, PacketKey, PacketLimit, Protocol};

/// Numbers that IANA assigned to protocols.
const ICMP: u8 = 1;
const IGMP: u8 = 2;
const TCP: u8 = 6;
const UDP: u8 = 17;
const GRE: u8 = 47;
const ESP: u8 = 50;
const AH: u8 = 51;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// Sets the bit of the limit with this index wherever it takes packets.
pub(super) fn mark(data: &mut abi::Rules, index: usize, limit: &PacketLimit) {
    let bit = 1_u16 << index;
    for number in 0..=u8::MAX {
        if takes(limit, number) {
            data.by_protocol[usize::from(number)] |= bit;
        }
    }
    for row in icmp_rows(limit) {
        data.by_icmp[row] |= bit;
    }
    let wide = u32::from(bit);
    if limit.matches.opens.is_some() {
        data.opening |= wide;
    }
    if !needs_port(limit) {
        data.portless |= wide;
    }
    if !limit.matches.icmp.is_empty() {
        data.typed |= wide;
    }
    if limit.shadow {
        data.shadow |= wide;
    }
    if limit.over == Over::Cookie {
        data.cookies |= bit;
    }
}

/// Whether a limit takes packets of the protocol with this number.
fn takes(limit: &PacketLimit, number: u8) -> bool {
    let matches = &limit.matches;
    let of_protocol = match matches.protocol {
        None => true,
        // The other IP version's ICMP is none, but nobody should get past a limit with it.
        Some(Protocol::Icmp) => number == ICMP || number == ICMPV6,
        Some(protocol) => number == self::number(protocol),
    };
    let opens = match matches.opens {
        None => true,
        Some(crate::Opens::Tcp) => number == TCP,
        Some(crate::Opens::Any) => number == TCP || number == SCTP,
    };
    let typed = matches.icmp.is_empty() || number == ICMP || number == ICMPV6;
    of_protocol && opens && typed
}

/// Whether a limit is of the authentication header, which IPv6 puts before the transport.
pub(super) fn is_of_authentication(limit: &PacketLimit) -> bool {
    limit
        .matches
        .protocol
        .is_some_and(|protocol| number(protocol) == AH)
}

const fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
        Protocol::Sctp => SCTP,
        Protocol::Icmp => ICMP,
        Protocol::Igmp => IGMP,
        Protocol::Gre => GRE,
        Protocol::Esp => ESP,
        Protocol::Ah => AH,
        Protocol::Number(number) => number,
    }
}

/// The rows of ICMP types that a limit takes, and of what has none.
fn icmp_rows(limit: &PacketLimit) -> Vec<usize> {
    let row = |kind: &IcmpType| match *kind {
        IcmpType::V4(kind) => Icmp::v4(kind).row() as usize,
        IcmpType::V6(kind) => Icmp::v6(kind).row() as usize,
    };
    match limit.matches.icmp.as_slice() {
        [] => (0..Icmp::ROWS).collect(),
        types => types.iter().map(row).collect(),
    }
}

fn needs_port(limit: &PacketLimit) -> bool {
    !limit.matches.ports.is_empty() || matches!(limit.key, PacketKey::Port | PacketKey::SourcePort)
}

/// What a limit counts by, in the program's numbers; `common` are the prefixes of all limits without their own.
pub(super) fn key(limit: &PacketLimit, common: Prefixes) -> u8 {
    let own = limit.prefixes.is_some_and(|prefixes| prefixes != common);
    match limit.key {
        PacketKey::None => KEY_NONE,
        PacketKey::Source if own => KEY_OWN_SOURCE,
        PacketKey::Source => KEY_SOURCE,
        PacketKey::Port => KEY_PORT,
        PacketKey::SourcePort if own => KEY_OWN_SOURCE_PORT,
        PacketKey::SourcePort => KEY_SOURCE_PORT,
    }
}
