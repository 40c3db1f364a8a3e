//! The parser in the kernel: every kind of packet, whole and cut short.

use floodwall_limiter::{Nanos, Scope};
use floodwall_xdp::{Action, Reason, Rules};

use super::{
    harness::{Bench, needs_root, rules},
    packet::{ACK, Packet, SYN, icmp6, ping, sctp, tcp, udp},
};

const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const SIX_MORE: [u8; 7] = [0; 7];

/// One of each kind, with how many bytes of it the parser needs.
fn kinds() -> Vec<(&'static str, Packet, usize)> {
    let (v4, v6) = ("198.51.100.7", "2001:db8:7::7");
    vec![
        ("TCP", tcp(v4, 443, SYN), 14 + 20 + 20),
        ("one tag", tcp(v4, 443, ACK).tagged(&[VLAN]), 18 + 20 + 20),
        (
            "two tags",
            udp(v4, 443).tagged(&[SERVICE_VLAN, VLAN]),
            22 + 20 + 8,
        ),
        ("options", tcp(v4, 443, SYN).with_options(40), 14 + 60 + 20),
        ("ICMP", ping(v4), 14 + 20 + 4),
        ("a later fragment", udp(v4, 443).fragment(64), 14 + 20),
        (
            "a first fragment",
            udp(v4, 443).fragment(0x2000),
            14 + 20 + 8,
        ),
        ("GRE", Packet::of(v4, 47, vec![0; 4]), 14 + 20 + 4),
        ("ESP", Packet::of(v4, 50, vec![0; 8]), 14 + 20 + 8),
        ("IGMP", Packet::of(v4, 2, vec![0; 8]), 14 + 20 + 8),
        (
            "an unknown protocol",
            Packet::of(v4, 99, vec![0; 8]),
            14 + 20,
        ),
        ("SCTP", sctp(v4, 443, 1), 14 + 20 + 16),
        ("TCP over IPv6", tcp(v6, 443, SYN), 14 + 40 + 20),
        ("ICMP over IPv6", ping(v6), 14 + 40 + 4),
        (
            "a hop-by-hop header",
            udp(v6, 443).behind(0, &SIX_MORE),
            14 + 40 + 8 + 8,
        ),
        (
            "a long routing header",
            udp(v6, 443).behind(43, &[[2].as_slice(), &[0; 22]].concat()),
            14 + 40 + 24 + 8,
        ),
        (
            "an authentication header",
            tcp(v6, 443, SYN).behind(51, &[[4].as_slice(), &[0; 22]].concat()),
            14 + 40 + 24 + 20,
        ),
        (
            "a first fragment of IPv6",
            udp(v6, 443).behind(44, &[0, 0, 1, 0, 0, 0, 9]),
            14 + 40 + 8 + 8,
        ),
        (
            "a later fragment of IPv6",
            udp(v6, 443).behind(44, &[0, 1, 0, 0, 0, 0, 9]),
            14 + 40 + 8,
        ),
        (
            "the longest chain",
            udp(v6, 443)
                .behind(60, &SIX_MORE)
                .behind(51, &[0, 0, 0, 0, 0, 0, 0])
                .behind(44, &SIX_MORE)
                .behind(43, &SIX_MORE)
                .behind(60, &SIX_MORE)
                .behind(0, &SIX_MORE),
            14 + 40 + 48 + 8,
        ),
    ]
}

/// Packets that are whole, and wrong.
fn wrong() -> Vec<(&'static str, Vec<u8>)> {
    let v4 = "198.51.100.7";
    let changed = |packet: Packet, at: usize, byte: u8| {
        let mut bytes = packet.bytes();
        bytes[at] = byte;
        bytes
    };
    let chain = (0..7).fold(udp("2001:db8:7::7", 443), |packet, _| {
        packet.behind(60, &SIX_MORE)
    });
    vec![
        ("version 5", changed(tcp(v4, 443, SYN), 14, 0x55)),
        ("a header of 16 bytes", changed(tcp(v4, 443, SYN), 14, 0x44)),
        (
            "version 4 as IPv6",
            changed(tcp("2001:db8:7::7", 443, SYN), 14, 0x40),
        ),
        (
            "three tags",
            tcp(v4, 443, SYN).tagged(&[VLAN, VLAN, VLAN]).bytes(),
        ),
        ("seven extension headers", chain.bytes()),
    ]
}

#[test]
fn whole_packets_are_understood_and_cut_ones_are_malformed() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&rules());
    for (what, packet, needed) in kinds() {
        let bytes = packet.bytes();
        for len in ETHERNET..=bytes.len() {
            let expected = match len {
                _ if len < needed => Reason::Malformed,
                _ if len < bytes.len() => Reason::BadLength,
                _ => Reason::Passed,
            };
            let reason = bench.send(&program, &bytes[..len]);
            assert_eq!(reason, expected, "{what}, {len} of {} bytes", bytes.len());
        }
    }
}

/// What is shorter is no frame, and the kernel's test run does not take it.
const ETHERNET: usize = 14;

#[test]
fn a_blocked_source_is_recognised_in_every_kind_of_packet() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&rules());
    bench.block("198.51.100.7", Scope::Host, Nanos::MAX);
    bench.block("2001:db8:7::7", Scope::Host, Nanos::MAX);
    for (what, packet, _) in kinds() {
        let reason = bench.send(&program, &packet.bytes());
        assert_eq!(reason, Reason::BlockedHost, "{what}");
    }
}

#[test]
fn ports_are_found_behind_everything_but_in_later_fragments() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&rules());
    bench.block("198.51.100.7", Scope::Listeners, Nanos::MAX);
    bench.block("2001:db8:7::7", Scope::Listeners, Nanos::MAX);
    for (what, packet, _) in kinds() {
        let portless = [
            "a later fragment",
            "ICMP",
            "GRE",
            "ESP",
            "IGMP",
            "an unknown",
        ]
        .iter()
        .any(|kind| what.starts_with(kind));
        let expected = if portless {
            Reason::Passed
        } else {
            Reason::Blocked
        };
        assert_eq!(bench.send(&program, &packet.bytes()), expected, "{what}");
    }
}

#[test]
fn wrong_packets_are_malformed_and_nothing_else() {
    needs_root!();
    let bench = Bench::new();
    let drop = bench.load(&rules());
    let pass = bench.load(&Rules {
        malformed: Action::Pass,
        ..rules()
    });
    // Not even a block of their source gets to see them.
    bench.block("198.51.100.7", Scope::Host, Nanos::MAX);
    for (what, bytes) in wrong() {
        assert_eq!(bench.send(&drop, &bytes), Reason::Malformed, "{what}");
        assert_eq!(bench.send(&pass, &bytes), Reason::MalformedPassed, "{what}");
    }
}

#[test]
fn only_the_link_itself_discovers_neighbours() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&rules());
    bench.block("fe80::1", Scope::Host, Nanos::MAX);
    for kind in 128..=140 {
        let packet = icmp6("fe80::1", kind);
        let discovery = (133..=137).contains(&kind);
        let expected = if discovery {
            Reason::NeighbourDiscovery
        } else {
            Reason::BlockedHost
        };
        assert_eq!(bench.send(&program, &packet.bytes()), expected, "{kind}");
        let mut routed = packet;
        routed.hop_limit = 254;
        let reason = bench.send(&program, &routed.bytes());
        assert_eq!(reason, Reason::BlockedHost, "{kind}, routed");
    }
}
