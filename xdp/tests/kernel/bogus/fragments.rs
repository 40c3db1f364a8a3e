//! Fragments: dropped where there are none in good faith, and never so that they hide what they carry.

use floodwall_xdp::{Action, Reason, Rules};

use super::{
    super::{
        harness::{needs_root, rules},
        packet::{Packet, SYN, sctp, tcp, udp},
    },
    Checked, MORE, Outside, V4, V6, unchecked,
};

#[test]
fn fragments_are_dropped_when_the_rules_have_none() {
    let Some(check) = Checked::by(|rules| rules.fragments = Action::Drop) else {
        return;
    };
    let v6 = |field: [u8; 2]| {
        let header = [0, field[0], field[1], 0, 0, 0, 9];
        Packet::of(V6, 17, vec![0; 16]).behind(44, &header).bytes()
    };
    check.compare([
        (
            "the first",
            udp(V4, 443).fragment(MORE).bytes(),
            Reason::Fragment,
        ),
        (
            "one in the middle",
            udp(V4, 443).fragment(MORE | 9).bytes(),
            Reason::Fragment,
        ),
        (
            "the last",
            udp(V4, 443).fragment(9).bytes(),
            Reason::Fragment,
        ),
        (
            "not to be fragmented",
            udp(V4, 443).fragment(0x4000).bytes(),
            Reason::Passed,
        ),
        ("the first of IPv6", v6([0, 1]), Reason::Fragment),
        ("the last of IPv6", v6([0, 64]), Reason::Fragment),
        // RFC 6946.
        ("one that is all of its packet", v6([0, 0]), Reason::Passed),
        ("reserved bits", v6([0, 6]), Reason::Passed),
    ]);
}

#[test]
fn fragments_that_hide_the_transport_header_are_malformed() {
    needs_root!();
    let outside = Outside::new();
    let program = outside.bench.load(&unchecked(|_| {}));
    let tiny = |packet: Packet, bytes: usize| {
        let mut packet = packet;
        packet.payload.truncate(bytes);
        // The frame's padding is no part of the packet.
        [packet.bytes(), vec![0; 40]].concat()
    };
    let chain = udp(V6, 443)
        .behind(60, &[0; 7])
        .behind(44, &[0, 0, 1, 0, 0, 0, 9]);
    for (what, packet, expected) in [
        // RFC 1858.
        (
            "eight bytes of TCP",
            tiny(tcp(V4, 443, SYN).fragment(MORE), 8),
            Reason::Malformed,
        ),
        (
            "sixteen bytes of TCP",
            tiny(tcp(V4, 443, SYN).fragment(MORE), 16),
            Reason::Malformed,
        ),
        (
            "all of its header",
            tiny(tcp(V4, 443, SYN).fragment(MORE), 20),
            Reason::Passed,
        ),
        // RFC 3128.
        (
            "TCP again from its ninth byte",
            tcp(V4, 443, SYN).fragment(1).bytes(),
            Reason::Malformed,
        ),
        (
            "the same with more",
            tcp(V4, 443, SYN).fragment(MORE | 1).bytes(),
            Reason::Malformed,
        ),
        (
            "TCP again from its seventeenth byte",
            tcp(V4, 443, SYN).fragment(2).bytes(),
            Reason::Malformed,
        ),
        (
            "TCP behind its header",
            tcp(V4, 443, SYN).fragment(3).bytes(),
            Reason::Passed,
        ),
        (
            "SCTP again from its ninth byte",
            sctp(V4, 443, 1).fragment(1).bytes(),
            Reason::Malformed,
        ),
        (
            "SCTP behind its first chunk's header",
            sctp(V4, 443, 1).fragment(2).bytes(),
            Reason::Passed,
        ),
        (
            "SCTP over IPv6 again from its ninth byte",
            sctp(V6, 443, 1).behind(44, &[0, 0, 8, 0, 0, 0, 9]).bytes(),
            Reason::Malformed,
        ),
        (
            "UDP from its ninth byte",
            udp(V4, 443).fragment(1).bytes(),
            Reason::Passed,
        ),
        (
            "TCP over IPv6 again from its ninth byte",
            tcp(V6, 443, SYN).behind(44, &[0, 0, 8, 0, 0, 0, 9]).bytes(),
            Reason::Malformed,
        ),
        // RFC 7112.
        (
            "a chain that goes on in the next one",
            tiny(chain, 16),
            Reason::Malformed,
        ),
    ] {
        let reason = outside.bench.send_over(&program, &packet, outside.ifindex);
        assert_eq!(reason, expected, "{what}");
    }
}

#[test]
fn what_is_allowed_may_be_bogus() {
    needs_root!();
    let outside = Outside::new();
    let program = outside.bench.load(&Rules {
        allow: vec!["198.51.100.0/24".parse().unwrap()],
        deny: vec!["203.0.113.0/24".parse().unwrap()],
        fragments: Action::Drop,
        ..rules()
    });
    for (from, expected) in [
        (V4, Reason::Allowed),
        ("203.0.113.9", Reason::Denied),
        ("192.0.2.9", Reason::Fragment),
    ] {
        let fragment = udp(from, 443).fragment(MORE).bytes();
        let reason = outside
            .bench
            .send_over(&program, &fragment, outside.ifindex);
        assert_eq!(reason, expected, "{from}");
    }
}
