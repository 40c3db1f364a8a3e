//! What becomes of a packet, and why, by tables.

use floodwall_limiter::{Nanos, Scope};
use floodwall_xdp::Reason;

use super::{
    harness::{Bench, rules, skipped},
    packet::{ACK, SYN, arp, icmp6, ping, tcp, udp},
};

#[test]
fn without_limits_and_lists_every_good_packet_passes() {
    if skipped() {
        return;
    }
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
    if skipped() {
        return;
    }
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
