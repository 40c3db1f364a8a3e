//! What both parsers say of the same frames.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use floodwall_xdp_abi::{
    Address, Datagram, Facts, Frame, Icmp, Reason, packet,
    rules::{CHECK_FRAGMENTS, CHECK_LAND, CHECK_LENGTHS, CHECK_MARTIANS, CHECK_TCP_FLAGS, CHECKS},
};
use proptest::prelude::*;

use super::{
    frames::frames,
    parser::{self, Kind, Read, read},
};

/// What the second parser says of a frame, when these checks are asked for.
fn expected(frame: &[u8], checks: u32) -> Read {
    let mut read = read(frame);
    if let Read::Ip(facts) = &mut read {
        facts.odd.retain(|reason| checks & check(*reason) != 0);
        facts.odd.truncate(1);
    }
    read
}

fn check(reason: Reason) -> u32 {
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
fn found(frame: &[u8], checks: u32) -> Read {
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
        source: match datagram.source {
            Address::V4(bits) => IpAddr::V4(Ipv4Addr::from(bits)),
            Address::V6 { high, low } => {
                IpAddr::V6(Ipv6Addr::from(u128::from(high) << 64 | u128::from(low)))
            }
        },
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
        resettable: has(Facts::RESETTABLE),
        authenticated: has(Facts::AUTHENTICATED),
        odd: (datagram.odd != Reason::Passed)
            .then_some(datagram.odd)
            .into_iter()
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn both_parsers_say_the_same(frame in frames()) {
        for checks in [CHECKS, 0, CHECK_LENGTHS, CHECK_TCP_FLAGS, CHECKS & !CHECK_FRAGMENTS] {
            prop_assert_eq!(found(&frame, checks), expected(&frame, checks), "checks {:x}", checks);
        }
    }
}

/// The frames are worth their name: all that can be said of one is said of some.
#[test]
fn the_frames_are_of_every_kind() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let frames: Vec<_> = (0..5000)
        .map(|_| frames().new_tree(&mut runner).unwrap().current())
        .collect();
    let read: Vec<_> = frames.iter().map(|frame| read(frame)).collect();
    for kind in [Read::Malformed, Read::NotIp, Read::NeighbourDiscovery] {
        assert!(read.contains(&kind), "{kind:?}");
    }
    let facts: Vec<_> = read
        .iter()
        .filter_map(|read| match read {
            Read::Ip(facts) => Some(facts),
            _ => None,
        })
        .collect();
    assert!(facts.len() > frames.len() / 4, "{} of them", facts.len());
    for reason in Reason::ALL.into_iter().filter(|reason| check(*reason) != 0) {
        assert!(
            facts.iter().any(|facts| facts.odd == [reason]),
            "{reason:?}"
        );
    }
    assert!(facts.iter().any(|facts| facts.odd.is_empty()));
    assert!(
        facts
            .iter()
            .any(|facts| facts.opens && facts.protocol == 132)
    );
    assert!(facts.iter().any(|facts| facts.essential));
    assert!(
        facts
            .iter()
            .any(|facts| facts.authenticated && facts.port.is_some())
    );
}
