//! Which packets a limit takes: by protocol, ICMP type, and what opens a connection.

use floodwall_limiter::Quota;
use floodwall_xdp::{
    IcmpType, Opens, PacketKey, PacketLimit, PacketMatch, Protocol, Reason, Rules,
};

use super::{
    harness::{Bench, needs_root, rules},
    packet::{ACK, Packet, SYN, message, ping, sctp, tcp, udp},
};

const V4: &str = "198.51.100.7";
const V6: &str = "2001:db8:7::7";

/// Rules of one limit that admits nothing.
fn closed(matches: PacketMatch) -> Rules {
    let limit = PacketLimit {
        matches,
        ..PacketLimit::new("closed", PacketKey::None, Quota::CLOSED)
    };
    Rules {
        limits: vec![limit],
        ..rules()
    }
}

fn of(protocol: Protocol) -> PacketMatch {
    PacketMatch {
        protocol: Some(protocol),
        ..PacketMatch::default()
    }
}

/// One packet of each protocol.
fn each() -> Vec<(&'static str, Packet)> {
    let opaque = |number| Packet::of(V4, number, vec![0; 16]);
    vec![
        ("TCP", tcp(V4, 443, ACK)),
        ("UDP", udp(V6, 443)),
        ("SCTP", sctp(V4, 443, 0)),
        ("ICMP", ping(V4)),
        ("ICMP over IPv6", ping(V6)),
        ("IGMP", opaque(2)),
        ("GRE", opaque(47)),
        ("ESP", opaque(50)),
        ("AH", opaque(51)),
        (
            "AH over IPv6",
            udp(V6, 443).behind(
                51,
                &[
                    4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ),
        ),
        ("L2TP", opaque(115)),
    ]
}

#[test]
fn a_limit_takes_the_packets_of_its_protocol() {
    needs_root!();
    let bench = Bench::new();
    for (protocol, taken) in [
        (Protocol::Tcp, &["TCP"][..]),
        // What the authentication header authenticates is a packet all the same.
        (Protocol::Udp, &["UDP", "AH over IPv6"]),
        (Protocol::Sctp, &["SCTP"]),
        (Protocol::Icmp, &["ICMP", "ICMP over IPv6"]),
        (Protocol::Igmp, &["IGMP"]),
        (Protocol::Gre, &["GRE"]),
        (Protocol::Esp, &["ESP"]),
        (Protocol::Ah, &["AH", "AH over IPv6"]),
        (Protocol::Number(115), &["L2TP"]),
        (Protocol::Number(6), &["TCP"]),
    ] {
        let program = bench.load(&closed(of(protocol)));
        for (what, packet) in each() {
            let expected = if taken.contains(&what) {
                Reason::Limited
            } else {
                Reason::Passed
            };
            let reason = bench.send(&program, &packet.bytes());
            assert_eq!(reason, expected, "{what} and a limit of {protocol:?}");
        }
    }
}

#[test]
fn a_limit_of_icmp_types_takes_those_of_their_ip_version() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&closed(PacketMatch {
        icmp: vec![IcmpType::V4(8), IcmpType::V6(128), IcmpType::V6(1)],
        ..of(Protocol::Icmp)
    }));
    for (what, packet, taken) in [
        ("echo request", ping(V4), true),
        ("echo reply", message(V4, 0, 0), false),
        ("echo request over IPv6", ping(V6), true),
        ("type 8 over IPv6", message(V6, 8, 0), false),
        ("type 1 over IPv6", message(V6, 1, 4), true),
        ("type 1 over IPv4", message(V4, 1, 4), false),
        ("a later fragment of one", ping(V4).fragment(9), false),
        ("the first fragment of one", ping(V4).fragment(0x2000), true),
        ("no ICMP", udp(V4, 443), false),
    ] {
        let expected = if taken {
            Reason::Limited
        } else {
            Reason::Passed
        };
        let reason = bench.send(&program, &packet.bytes());
        assert_eq!(reason, expected, "{what}");
    }
}

#[test]
fn a_limit_of_new_connections_takes_what_opens_one() {
    needs_root!();
    let bench = Bench::new();
    let opening = |opens| {
        let matches = PacketMatch {
            opens: Some(opens),
            ..PacketMatch::default()
        };
        bench.load(&closed(matches))
    };
    let (syn, any) = (opening(Opens::Tcp), opening(Opens::Any));
    let limited = |taken| {
        if taken {
            Reason::Limited
        } else {
            Reason::Passed
        }
    };
    for (what, packet, by_syn, by_any) in [
        ("SYN", tcp(V6, 443, SYN), true, true),
        ("SYN and ACK", tcp(V4, 443, SYN | ACK), false, false),
        ("ACK", tcp(V4, 443, ACK), false, false),
        ("INIT", sctp(V4, 443, 1), false, true),
        ("INIT ACK", sctp(V4, 443, 2), false, false),
        ("UDP", udp(V4, 443), false, false),
        (
            "a later fragment",
            tcp(V4, 443, SYN).fragment(9),
            false,
            false,
        ),
    ] {
        let packet = packet.bytes();
        assert_eq!(bench.send(&syn, &packet), limited(by_syn), "{what}");
        assert_eq!(bench.send(&any, &packet), limited(by_any), "{what}");
    }
}
