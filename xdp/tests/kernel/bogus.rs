//! What nobody sends in good faith, by tables: each check finds its own, and nothing when it is off.

mod fragments;

use floodwall_xdp::{Action, Checks, Loaded, Reason, Rules};

use super::{
    harness::{Bench, rules, skipped},
    namespace::{Namespace, index},
    packet::{ACK, FIN, Packet, RST, SYN, icmp6, ping, tcp, udp},
};

const V4: &str = "198.51.100.7";
const V6: &str = "2001:db8:7::7";
const TO_V4: &str = "192.0.2.1";
const TO_V6: &str = "2001:db8::1";
const PSH: u8 = 0x08;
const URG: u8 = 0x20;

/// Rules without any check but what `but` sets.
fn unchecked(but: impl Fn(&mut Rules)) -> Rules {
    let checks = Checks {
        tcp_flags: Action::Pass,
        land: Action::Pass,
        martians: Action::Pass,
        lengths: Action::Pass,
    };
    let mut rules = Rules { checks, ..rules() };
    but(&mut rules);
    rules
}

/// A bench whose packets come in over an interface that is not the loopback.
struct Outside {
    bench: Bench,
    _namespace: Namespace,
    ifindex: u32,
}

impl Outside {
    fn new() -> Self {
        // The interface first: the maps are not of the namespace.
        let namespace = Namespace::new();
        Self {
            bench: Bench::new(),
            _namespace: namespace,
            ifindex: index("right"),
        }
    }
}

/// A check that one program has and another has not.
struct Checked {
    outside: Outside,
    on: Loaded,
    off: Loaded,
}

impl Checked {
    /// The check that `set` sets; [`None`] where no program can be loaded.
    fn by(set: impl Fn(&mut Rules)) -> Option<Self> {
        if skipped() {
            return None;
        }
        let outside = Outside::new();
        Some(Self {
            off: outside.bench.load(&unchecked(|_| {})),
            on: outside.bench.load(&unchecked(set)),
            outside,
        })
    }

    /// Sends each packet through both programs and compares what decides over it.
    fn compare<'a>(&self, table: impl IntoIterator<Item = (&'a str, Vec<u8>, Reason)>) {
        let Outside { bench, ifindex, .. } = &self.outside;
        for (what, packet, expected) in table {
            let reason = bench.send_over(&self.on, &packet, *ifindex);
            assert_eq!(reason, expected, "{what}");
            let reason = bench.send_over(&self.off, &packet, *ifindex);
            assert_eq!(reason, Reason::Passed, "{what}, unchecked");
        }
    }
}

#[test]
fn flags_that_contradict_each_other_are_dropped() {
    let Some(check) = Checked::by(|rules| rules.checks.tcp_flags = Action::Drop) else {
        return;
    };
    for (what, flags, bad) in [
        ("null", 0, true),
        ("SYN", SYN, false),
        ("SYN and ACK", SYN | ACK, false),
        ("SYN and FIN", SYN | FIN, true),
        ("SYN, FIN and ACK", SYN | FIN | ACK, true),
        ("SYN and RST", SYN | RST, true),
        ("FIN alone", FIN, true),
        ("FIN and ACK", FIN | ACK, false),
        ("Xmas", FIN | PSH | URG, true),
        ("PSH alone", PSH, true),
        ("URG alone", URG, true),
        ("PSH and URG", PSH | URG, true),
        ("FIN and RST", FIN | RST, true),
        ("FIN, RST and ACK", FIN | RST | ACK, false),
        ("SYN and PSH", SYN | PSH, false),
        ("all of them", 0x3f, true),
        ("RST", RST, false),
        ("RST and ACK", RST | ACK, false),
        ("ACK and PSH", ACK | PSH, false),
        ("SYN with ECN", SYN | 0xc0, false),
        ("nothing but ECN", 0xc0, true),
    ] {
        let expected = if bad {
            Reason::TcpFlags
        } else {
            Reason::Passed
        };
        let table = [V4, V6].map(|from| (what, tcp(from, 443, flags).bytes(), expected));
        check.compare(table);
    }
}

#[test]
fn a_packet_to_where_it_comes_from_is_dropped_but_on_the_loopback() {
    let Some(check) = Checked::by(|rules| rules.checks.land = Action::Drop) else {
        return;
    };
    let land = [
        ("TCP", tcp(TO_V4, 443, SYN).bytes()),
        ("UDP over IPv6", udp(TO_V6, 443).bytes()),
        ("a later fragment", udp(TO_V4, 443).fragment(9).bytes()),
    ];
    let table = land
        .clone()
        .map(|(what, packet)| (what, packet, Reason::Land));
    check.compare(table);
    let good = [("somebody else", tcp(V4, 443, SYN).bytes(), Reason::Passed)];
    check.compare(good);
    for (what, packet) in land {
        let reason = check.outside.bench.send_over(&check.on, &packet, LOOPBACK);
        assert_eq!(reason, Reason::Passed, "{what}, on the loopback");
    }
}

const LOOPBACK: u32 = 1;

#[test]
fn addresses_of_no_network_are_dropped() {
    let Some(check) = Checked::by(|rules| rules.checks.martians = Action::Drop) else {
        return;
    };
    let to = |packet: Packet, address: &str| packet.to(address).bytes();
    for (what, packet, martian) in [
        ("0/8", udp("0.1.2.3", 53).bytes(), true),
        ("nobody", udp("0.0.0.0", 53).bytes(), true),
        (
            "nobody asks for an address",
            dhcp("0.0.0.0", 68, 67).bytes(),
            false,
        ),
        (
            "nobody in particular asks",
            dhcp("0.0.0.1", 68, 67).bytes(),
            true,
        ),
        (
            "nobody joins a group",
            Packet::of("0.0.0.0", 2, vec![0x16; 8]).bytes(),
            false,
        ),
        ("1/8", udp("1.0.0.0", 53).bytes(), false),
        ("loopback", udp("127.0.0.1", 53).bytes(), true),
        ("to the loopback", to(udp(V4, 53), "127.0.0.1"), true),
        ("multicast", udp("224.0.0.1", 53).bytes(), true),
        (
            "the last of multicast",
            udp("239.255.255.255", 53).bytes(),
            true,
        ),
        ("to multicast", to(udp(V4, 53), "224.0.0.251"), false),
        ("240/4", udp("240.0.0.1", 53).bytes(), false),
        ("broadcast", udp("255.255.255.255", 53).bytes(), true),
        ("unspecified", udp("::", 53).bytes(), true),
        (
            "a multicast report before there is an address",
            ping("::").bytes(),
            false,
        ),
        ("loopback of IPv6", udp("::1", 53).bytes(), true),
        ("to the loopback of IPv6", to(udp(V6, 53), "::1"), true),
        ("mapped", udp("::ffff:198.51.100.7", 53).bytes(), true),
        ("multicast of IPv6", udp("ff02::1", 53).bytes(), true),
        ("link-local", udp("fe80::1", 53).bytes(), false),
        ("global", udp(V6, 53).bytes(), false),
    ] {
        let expected = if martian {
            Reason::Martian
        } else {
            Reason::Passed
        };
        check.compare([(what, packet, expected)]);
    }
    for from in ["127.0.0.1", "::1"] {
        let packet = udp(from, 53).bytes();
        let reason = check.outside.bench.send_over(&check.on, &packet, LOOPBACK);
        assert_eq!(reason, Reason::Passed, "{from} on the loopback");
    }
    // Whoever looks for duplicates has no address yet.
    let solicitation = icmp6("::", 135).bytes();
    let Outside { bench, ifindex, .. } = &check.outside;
    let reason = bench.send_over(&check.on, &solicitation, *ifindex);
    assert_eq!(reason, Reason::NeighbourDiscovery);
}

/// A UDP packet between two ports.
fn dhcp(from: &str, source: u16, destination: u16) -> Packet {
    let mut packet = udp(from, destination);
    packet.payload[0..2].copy_from_slice(&source.to_be_bytes());
    packet
}

/// The packet with other bytes at some place.
fn with(packet: &Packet, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = packet.bytes();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

const IPV4_LENGTH: usize = 14 + 2;
const IPV6_LENGTH: usize = 14 + 4;
const OVER_IPV4: usize = 14 + 20;
const OVER_IPV6: usize = 14 + 40;
const MORE: u16 = 0x2000;

#[test]
fn lengths_that_contradict_each_other_are_dropped() {
    let Some(check) = Checked::by(|rules| rules.checks.lengths = Action::Drop) else {
        return;
    };
    let (tcp4, tcp6) = (tcp(V4, 443, SYN), tcp(V6, 443, SYN));
    let (udp4, udp6) = (udp(V4, 443), udp(V6, 443));
    let padded = |packet: &Packet| [packet.bytes(), vec![0; 18]].concat();
    let bad = [
        (
            "an IPv4 packet longer than its frame",
            with(&tcp4, IPV4_LENGTH, &[0, 41]),
        ),
        (
            "an IPv4 packet shorter than its header",
            with(&tcp4, IPV4_LENGTH, &[0, 19]),
        ),
        (
            "an IPv6 packet longer than its frame",
            with(&tcp6, IPV6_LENGTH, &[0, 21]),
        ),
        (
            "TCP that ends in its header",
            with(&tcp4, IPV4_LENGTH, &[0, 39]),
        ),
        (
            "TCP over IPv6 that ends in its header",
            with(&tcp6, IPV6_LENGTH, &[0, 19]),
        ),
        (
            "a TCP header of four words",
            with(&tcp4, OVER_IPV4 + 12, &[0x40]),
        ),
        (
            "a TCP header longer than the packet",
            with(&tcp4, OVER_IPV4 + 12, &[0x60]),
        ),
        (
            "UDP shorter than its header",
            with(&udp4, OVER_IPV4 + 4, &[0, 7]),
        ),
        (
            "UDP longer than the packet",
            with(&udp4, OVER_IPV4 + 4, &[0, 9]),
        ),
        (
            "UDP over IPv6 longer than the packet",
            with(&udp6, OVER_IPV6 + 4, &[0, 9]),
        ),
        (
            "an ICMP message of three bytes",
            with(&ping(V4), IPV4_LENGTH, &[0, 23]),
        ),
        (
            "a fragment that ends at no multiple of eight",
            odd_fragment().bytes(),
        ),
        (
            "a fragment beyond the longest packet",
            udp(V4, 443).fragment(0x1fff).bytes(),
        ),
        (
            "a fragment of IPv6 that ends at no multiple of eight",
            Packet::of(V6, 17, vec![0; 9])
                .behind(44, &[0, 1, 1, 0, 0, 0, 9])
                .bytes(),
        ),
        (
            "a fragment of IPv6 beyond the longest packet",
            Packet::of(V6, 17, vec![0; 16])
                .behind(44, &[0, 0xff, 0xf8, 0, 0, 0, 9])
                .bytes(),
        ),
    ];
    check.compare(bad.map(|(what, packet)| (what, packet, Reason::BadLength)));
    let good = [
        ("TCP", tcp4.bytes()),
        ("TCP with padding", padded(&tcp4)),
        ("UDP over IPv6 with padding", padded(&udp6)),
        (
            "UDP with something behind it",
            with(&long_udp(), OVER_IPV4 + 4, &[0, 9]),
        ),
        (
            "a first fragment of UDP",
            with(&udp(V4, 443).fragment(MORE), OVER_IPV4 + 4, &[5, 0]),
        ),
        (
            "the last fragment, of nine bytes",
            Packet::of(V4, 17, vec![0; 9]).fragment(9).bytes(),
        ),
        (
            "a jumbogram",
            with(
                &udp(V6, 443).behind(0, &[0, 0xc2, 4, 0, 1, 0, 0]),
                IPV6_LENGTH,
                &[0, 0],
            ),
        ),
    ];
    check.compare(good.map(|(what, packet)| (what, packet, Reason::Passed)));
}

fn odd_fragment() -> Packet {
    Packet::of(V4, 17, vec![0; 9]).fragment(MORE | 9)
}

fn long_udp() -> Packet {
    let mut packet = udp(V4, 443);
    packet.payload.extend([0; 8]);
    packet
}
