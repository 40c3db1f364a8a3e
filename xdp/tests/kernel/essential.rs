//! What the host must have to go on: messages about a path's MTU, its address, its groups, its neighbours.

use floodwall_limiter::{Nanos, Quota, Scope};
use floodwall_xdp::{Action, IcmpType, Loaded, PacketKey, PacketLimit, PacketMatch, Reason, Rules};

use super::{
    harness::{Bench, needs_root, rules},
    packet::{Packet, arp, icmp6, message, ping, udp},
};

const V4: &str = "198.51.100.7";
const V6: &str = "2001:db8:7::7";

fn fragmentation_needed(from: &str) -> Packet {
    message(from, 3, 4)
}

fn too_big(from: &str) -> Packet {
    message(from, 2, 0)
}

/// UDP between two ports.
fn between(from: &str, source: u16, destination: u16) -> Packet {
    let mut packet = udp(from, destination);
    packet.payload[0..2].copy_from_slice(&source.to_be_bytes());
    packet
}

/// A multicast listener message as it is sent: behind a router alert, with a hop limit of one.
fn listener(from: &str, kind: u8) -> Packet {
    let mut packet = message(from, kind, 0).behind(0, &[0, 5, 2, 0, 0, 1, 0]);
    packet.hop_limit = 1;
    packet
}

/// A limit that admits none of these packets.
fn closed(matches: PacketMatch) -> PacketLimit {
    PacketLimit {
        matches,
        ..PacketLimit::new("closed", PacketKey::None, Quota::CLOSED)
    }
}

/// Rules of one limit that admits nothing.
fn nothing(matches: PacketMatch) -> Rules {
    Rules {
        limits: vec![closed(matches)],
        ..rules()
    }
}

#[test]
fn what_is_essential_is_taken_by_no_limit_but_one_that_names_it() {
    needs_root!();
    let bench = Bench::new();
    let all = bench.load(&nothing(PacketMatch::default()));
    let named = bench.load(&nothing(PacketMatch {
        icmp: vec![IcmpType::V4(3), IcmpType::V6(131)],
        ..PacketMatch::default()
    }));
    let mut routed = listener("fe80::7", 131);
    routed.hop_limit = 2;
    for (what, packet, essential, is_named) in [
        ("port unreachable", message(V4, 3, 3), false, true),
        ("time exceeded", message(V6, 3, 0), false, false),
        ("an answer of DHCP", between(V4, 67, 68), true, false),
        ("from another port", between(V4, 68, 68), false, false),
        (
            "an answer of DHCP over IPv6",
            between("fe80::7", 547, 546),
            true,
            false,
        ),
        ("from beyond the link", between(V6, 547, 546), false, false),
        ("a listener report", listener("fe80::7", 131), true, true),
        ("one without an address", listener("::", 143), true, false),
        ("one from beyond the link", listener(V6, 131), false, true),
        ("one that was forwarded", routed, false, true),
        ("an echo request", ping(V6), false, false),
    ] {
        let packet = packet.bytes();
        let expected = if essential {
            Reason::Essential
        } else {
            Reason::Limited
        };
        assert_eq!(bench.send(&all, &packet), expected, "{what}");
        let expected = match (is_named, essential) {
            (true, _) => Reason::Limited,
            (false, true) => Reason::Essential,
            (false, false) => Reason::Passed,
        };
        assert_eq!(bench.send(&named, &packet), expected, "{what}, named");
    }
}

/// Everything that is against a packet of [`V4`] or [`V6`]: the deny list, a block, and limits that admit nothing.
fn all_against(bench: &Bench) -> [(&'static str, Loaded); 4] {
    let typed = PacketMatch {
        icmp: vec![IcmpType::V4(3), IcmpType::V6(2)],
        ..PacketMatch::default()
    };
    let denied = Rules {
        deny: vec![
            "198.51.100.0/24".parse().unwrap(),
            "2001:db8:7::/48".parse().unwrap(),
        ],
        ..rules()
    };
    [
        (
            "a closed limit",
            bench.load(&nothing(PacketMatch::default())),
        ),
        ("a closed limit of its type", bench.load(&nothing(typed))),
        ("the deny list", bench.load(&denied)),
        ("a block", bench.load(&rules())),
    ]
}

#[test]
fn what_tells_the_path_mtu_passes_every_rule() {
    needs_root!();
    let bench = Bench::new();
    for (what, program) in all_against(&bench) {
        if what == "a block" {
            bench.block(V4, Scope::Host, Nanos::MAX);
            bench.block(V6, Scope::Host, Nanos::MAX);
        }
        for packet in [fragmentation_needed(V4), too_big(V6)] {
            let reason = bench.send(&program, &packet.bytes());
            assert_eq!(reason, Reason::Essential, "{what}");
        }
        for packet in [message(V4, 3, 3), message(V6, 1, 4)] {
            let reason = bench.send(&program, &packet.bytes());
            // The limit of a type has another one of IPv6.
            let passes = what.ends_with("type") && packet.from.is_ipv6();
            assert_eq!(reason == Reason::Passed, passes, "{what}: {reason:?}");
        }
    }
}

#[test]
fn nobody_floods_the_host_with_path_mtu_messages() {
    needs_root!();
    let bench = Bench::new();
    let [_, (_, limited), (_, denied), _] = all_against(&bench);
    let packet = fragmentation_needed(V4).bytes();
    for program in [&limited, &denied] {
        let passed = |times| {
            let run = |_: &u32| bench.send(program, &packet) == Reason::Essential;
            (0..times).filter(run).count()
        };
        assert_eq!(passed(1500), 1000);
        bench.filter.turn_clock(Nanos::from_millis(1100));
        assert_eq!(passed(200), 100, "at the rate of the reserve");
        bench.filter.turn_clock(Nanos::SECOND);
    }
    let other = bench.load(&nothing(PacketMatch::default()));
    for _ in 0..1500 {
        assert_eq!(bench.send(&other, &packet), Reason::Essential, "as ever");
    }
}

#[test]
fn a_path_mtu_message_that_is_odd_is_no_better_than_others() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&Rules {
        fragments: Action::Drop,
        deny: vec!["198.51.100.0/24".parse().unwrap()],
        ..rules()
    });
    for (what, packet, reason) in [
        (
            "multicast",
            fragmentation_needed("224.0.0.1"),
            Reason::Martian,
        ),
        (
            "a fragment",
            too_big(V6).behind(44, &[0, 0, 1, 0, 0, 0, 9]),
            Reason::Fragment,
        ),
        (
            "a denied fragment",
            fragmentation_needed(V4).fragment(0x2000),
            Reason::Denied,
        ),
    ] {
        assert_eq!(bench.send(&program, &packet.bytes()), reason, "{what}");
    }
}

#[test]
fn neighbours_are_found_whatever_the_rules_say() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&Rules {
        deny: vec!["fe80::/10".parse().unwrap(), "0.0.0.0/0".parse().unwrap()],
        fragments: Action::Drop,
        ..nothing(PacketMatch::default())
    });
    bench.block("fe80::1", Scope::Host, Nanos::MAX);
    for _ in 0..2000 {
        assert_eq!(bench.send(&program, &arp()), Reason::NotIp);
    }
    for kind in 133..=137 {
        let packet = icmp6("fe80::1", kind).bytes();
        for _ in 0..500 {
            let reason = bench.send(&program, &packet);
            assert_eq!(reason, Reason::NeighbourDiscovery, "{kind}");
        }
    }
}
