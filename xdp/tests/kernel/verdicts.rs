//! What becomes of a packet, and why, by tables.

use floodwall_limiter::{Nanos, Quota, Scope};
use floodwall_xdp::{PacketKey, PacketLimit, Reason, Rules};

use super::{
    budgets::limit,
    harness::{Bench, needs_root, rules},
    packet::{ACK, SYN, arp, icmp6, ping, tcp, udp},
};

#[test]
fn without_limits_and_lists_every_good_packet_passes() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&rules());
    let v4 = "198.51.100.7";
    let v6 = "2001:db8:7::7";
    for (what, packet, reason) in [
        ("TCP", tcp(v4, 443, SYN).bytes(), Reason::Passed),
        ("UDP", udp(v4, 53).bytes(), Reason::Passed),
        ("ping", ping(v4).bytes(), Reason::Passed),
        ("TCP over IPv6", tcp(v6, 443, ACK).bytes(), Reason::Passed),
        ("ping over IPv6", ping(v6).bytes(), Reason::Passed),
        ("ARP", arp(), Reason::NotIp),
        (
            "a neighbour",
            icmp6("fe80::1", 135).bytes(),
            Reason::NeighbourDiscovery,
        ),
    ] {
        assert_eq!(bench.send(&program, &packet), reason, "{what}");
    }
}

#[test]
fn a_block_drops_what_its_scope_says_until_it_ends() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&rules());
    let end = Nanos::from_secs(5);
    bench.block("198.51.100.7", Scope::Listeners, end);
    bench.block("2001:db8:7::1", Scope::Host, end);
    let table = [
        (
            "a listener's port",
            tcp("198.51.100.7", 443, SYN),
            Reason::Blocked,
        ),
        (
            "a listener's port, UDP",
            udp("198.51.100.7", 443),
            Reason::Blocked,
        ),
        ("another port", tcp("198.51.100.7", 22, SYN), Reason::Passed),
        ("no port", ping("198.51.100.7"), Reason::Passed),
        (
            "a later fragment",
            tcp("198.51.100.7", 443, SYN).fragment(8),
            Reason::Passed,
        ),
        (
            "somebody else",
            tcp("198.51.100.8", 443, SYN),
            Reason::Passed,
        ),
        (
            "the whole host",
            tcp("2001:db8:7::2", 22, SYN),
            Reason::BlockedHost,
        ),
        (
            "the whole host, no port",
            ping("2001:db8:7::3"),
            Reason::BlockedHost,
        ),
        ("another /64", ping("2001:db8:7:1::3"), Reason::Passed),
    ];
    for (what, packet, reason) in &table {
        assert_eq!(bench.send(&program, &packet.bytes()), *reason, "{what}");
    }
    bench.filter.turn_clock(end);
    for (what, packet, _) in &table {
        assert_eq!(
            bench.send(&program, &packet.bytes()),
            Reason::Passed,
            "{what}"
        );
    }
}

#[test]
fn lists_come_before_blocks_and_limits_and_allow_wins() {
    needs_root!();
    let bench = Bench::new();
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let closed = PacketLimit {
        quota: Quota::CLOSED,
        ..limit("closed", PacketKey::None, 0)
    };
    let program = bench.load(&Rules {
        allow: nets(&["10.1.0.0/16", "2001:db8:1::/48", "192.0.2.7/32"]),
        deny: nets(&["10.0.0.0/8", "10.1.2.0/24", "2001:db8::/32"]),
        limits: vec![closed],
        ..rules()
    });
    for address in ["10.1.2.3", "10.2.0.1", "2001:db8:1::7", "2001:db8:2::7"] {
        bench.block(address, Scope::Host, Nanos::MAX);
    }
    for (from, reason) in [
        ("10.1.2.3", Reason::Allowed),
        ("10.1.255.255", Reason::Allowed),
        ("10.2.0.1", Reason::Denied),
        ("10.0.255.255", Reason::Denied),
        ("192.0.2.7", Reason::Allowed),
        ("192.0.2.8", Reason::Limited),
        ("11.0.0.0", Reason::Limited),
        ("2001:db8:1::7", Reason::Allowed),
        ("2001:db8:2::7", Reason::Denied),
        ("2001:db9::7", Reason::Limited),
    ] {
        assert_eq!(bench.send(&program, &ping(from).bytes()), reason, "{from}");
    }
}
