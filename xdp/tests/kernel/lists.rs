//! The lists as the program asks them: many prefixes, every length, and all limits beside them.

use std::net::{Ipv4Addr, Ipv6Addr};

use floodwall_limiter::{Nanos, Quota};
use floodwall_xdp::{Action, Checks, PacketKey, PacketLimit, Reason, Rules};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    harness::{Bench, needs_root, rules},
    packet::ping,
};

#[test]
fn ten_thousand_prefixes_are_loaded_and_each_is_found() {
    needs_root!();
    let bench = Bench::new();
    // Every second /24, so that none can be merged with its neighbour.
    let third = |index: u32| Ipv4Addr::from(0x1400_0000 + index * 512);
    let program = bench.load(&Rules {
        deny: (0..10_000)
            .map(|index| IpNet::V4(Ipv4Net::new_assert(third(index), 24)))
            .collect(),
        ..rules()
    });
    for index in (0..10_000).step_by(97) {
        let inside = Ipv4Addr::from(u32::from(third(index)) + 200).to_string();
        let beside = Ipv4Addr::from(u32::from(third(index)) + 256).to_string();
        let reason = bench.send(&program, &ping(&inside).bytes());
        assert_eq!(reason, Reason::Denied, "{inside}");
        let reason = bench.send(&program, &ping(&beside).bytes());
        assert_eq!(reason, Reason::Passed, "{beside}");
    }
}

/// A prefix of every length, each ending in a bit that none of the longer ones has.
fn every_length() -> Vec<IpNet> {
    let v4 = (1..=32_u8).map(|length| {
        let bits = u32::MAX << (32 - length) & !(1 << (33 - length).min(31)) ^ 0x2000_0000;
        IpNet::V4(Ipv4Net::new_assert(bits.into(), length).trunc())
    });
    let v6 = (1..=128_u8).map(|length| {
        let bits = u128::MAX << (128 - length) & !(1 << (129 - length).min(127));
        IpNet::V6(Ipv6Net::new_assert(bits.into(), length).trunc())
    });
    v4.chain(v6).collect()
}

#[test]
fn every_length_is_found_beside_sixteen_limits() {
    needs_root!();
    let bench = Bench::new();
    // Below a shorter prefix a longer one would add nothing, but for what is allowed in what is denied.
    let (allow, deny): (Vec<_>, Vec<_>) = (every_length().into_iter())
        .filter(|net| net.prefix_len() > 2)
        .partition(|net| net.prefix_len() % 2 == 0);
    let limit = |index: u32| {
        let quota = Quota::new(1000, Nanos::SECOND, 1000);
        PacketLimit::new(format!("limit {index}"), PacketKey::Source, quota)
    };
    let program = bench.load(&Rules {
        limits: (0..16).map(limit).collect(),
        // Some of the addresses are of no network.
        checks: Checks {
            martians: Action::Pass,
            ..Checks::default()
        },
        allow: allow.clone(),
        deny: deny.clone(),
        ..rules()
    });
    let on = |list: &[IpNet], address| list.iter().any(|net| net.contains(&address));
    for net in every_length() {
        for address in [net.network(), net.broadcast()] {
            let expected = match (on(&allow, address), on(&deny, address)) {
                (true, _) => Reason::Allowed,
                (false, true) => Reason::Denied,
                (false, false) => Reason::Passed,
            };
            let reason = bench.send(&program, &ping(&address.to_string()).bytes());
            assert_eq!(reason, expected, "{address} of {net}");
        }
    }
}

#[test]
fn a_list_of_everything_is_one_word() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&Rules {
        deny: vec!["0.0.0.0/0".parse().unwrap()],
        allow: vec!["198.51.100.7/32".parse().unwrap()],
        ..rules()
    });
    let six = Ipv6Addr::LOCALHOST.to_string();
    for (address, expected) in [
        ("198.51.100.7", Reason::Allowed),
        ("198.51.100.8", Reason::Denied),
        (&six, Reason::Passed),
    ] {
        let reason = bench.send(&program, &ping(address).bytes());
        assert_eq!(reason, expected, "{address}");
    }
}
