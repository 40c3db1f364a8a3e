//! What each of the two parsers says of a frame, in the same words.

use floodwall_xdp_abi::{
    Datagram, Facts, Frame, Icmp, Reason, packet,
    rules::{CHECK_FRAGMENTS, CHECK_LAND, CHECK_LENGTHS, CHECK_MARTIANS, CHECK_TCP_FLAGS},
};

use super::parser::{self, Kind, Read, read};

/// What the second parser says of a frame, when these checks are asked for.
pub(crate) fn expected(frame: &[u8], checks: u32) -> Read {
    let mut read = read(frame);
    if let Read::Ip(facts) = &mut read {
        facts.odd.retain(|reason| checks & check(*reason) != 0);
        facts.odd.truncate(1);
    }
    read
}

pub(crate) fn check(reason: Reason) -> u32 {
    match reason {
        Reason::Martian => CHECK_MARTIANS,
        Reason::Land => CHECK_LAND,
        Reason::Fragment => CHECK_FRAGMENTS,
        Reason::BadLength => CHECK_LENGTHS,
        Reason::TcpFlags => CHECK_TCP_FLAGS,
        _ => 0,
    }
}

/// What the parser says, in the words of the second one.
pub(crate) fn found(frame: &[u8], checks: u32) -> Read {
    match packet::parse(frame, checks) {
        Err(packet::Malformed) => Read::Malformed,
        Ok(Frame::NotIp) => Read::NotIp,
        Ok(Frame::NeighbourDiscovery) => Read::NeighbourDiscovery,
        Ok(Frame::Ip(datagram)) => Read::Ip(facts(datagram)),
    }
}

fn facts(datagram: Datagram) -> parser::Facts {
    let row = datagram.icmp.row();
    let has = |fact| datagram.facts.has(fact);
    parser::Facts {
        source: datagram.source.into(),
        protocol: datagram.protocol,
        port: datagram.port.is_some().then(|| datagram.port.number()),
        icmp: match u8::try_from(row % 256).unwrap() {
            _ if datagram.icmp == Icmp::NONE => Kind::None,
            _ if datagram.icmp == Icmp::UNTYPED => Kind::Untyped,
            kind if row < 256 => Kind::V4(kind),
            kind => Kind::V6(kind),
        },
        opens: has(Facts::OPENS),
        essential: has(Facts::ESSENTIAL),
        path_mtu: has(Facts::PATH_MTU),
        resettable: has(Facts::RESETTABLE),
        authenticated: has(Facts::AUTHENTICATED),
        odd: datagram
            .odd
            .is_any()
            .then(|| datagram.odd.reason())
            .into_iter()
            .collect(),
    }
}
