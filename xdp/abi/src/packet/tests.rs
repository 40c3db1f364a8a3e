//! The parser on bytes of every kind; the kernel's tests have the tables of good packets.

use proptest::prelude::*;

use super::{Address, Datagram, Facts, Frame, Icmp, Malformed, Odd, Port, parse};
use crate::rules::{CHECK_LENGTHS, CHECKS};

/// Ethertypes that are followed, some behind tags, and the IP header's first byte.
const KINDS: &[&[u8]] = &[
    &[0x08, 0x00, 0x45],
    &[0x08, 0x00, 0x4f],
    &[0x86, 0xdd, 0x60],
    &[0x81, 0x00, 0, 7, 0x08, 0x00, 0x46],
    &[0x88, 0xa8, 0, 7, 0x81, 0x00, 0, 8, 0x86, 0xdd, 0x6f],
];

/// Frames that get far: an ethertype that is followed, then bytes that often make sense.
fn frames() -> impl Strategy<Value = std::vec::Vec<u8>> {
    let kinds = prop::sample::select(KINDS);
    let byte = prop_oneof![
        3 => prop::sample::select(OFTEN),
        1 => any::<u8>(),
    ];
    (kinds, prop::collection::vec(byte, 0..200)).prop_map(|(kind, rest)| {
        let mut frame = std::vec![0; 12];
        frame.extend(kind);
        frame.extend(rest);
        frame
    })
}

/// Numbers of protocols and extension headers, and a TCP header's length.
const OFTEN: &[u8] = &[0, 1, 6, 17, 43, 44, 51, 58, 60, 0x50, 132];

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes[..], CHECKS);
    }

    #[test]
    fn a_shorter_packet_is_malformed_or_says_the_same(frame in frames(), cut in any::<prop::sample::Index>()) {
        let cut = &frame[..cut.index(frame.len() + 1)];
        // Lengths that were contradicted by the cut may be good in the whole.
        if let Ok(short) = parse(cut, CHECKS & !CHECK_LENGTHS) {
            prop_assert_eq!(parse(&frame[..], CHECKS & !CHECK_LENGTHS), Ok(short));
        }
    }

    #[test]
    fn only_a_whole_tcp_udp_or_sctp_header_has_a_port(frame in frames()) {
        if let Ok(Frame::Ip(datagram)) = parse(&frame[..], CHECKS) {
            let has_ports = matches!(datagram.protocol, TCP | UDP | SCTP);
            prop_assert!(has_ports || !datagram.port.is_some());
            prop_assert!(!datagram.facts.has(Facts::OPENS) || datagram.port.is_some());
        }
    }
}

#[test]
fn a_udp_packet_is_read() {
    let mut frame = [0; 14 + 20 + 8];
    frame[12] = 8;
    frame[14] = 0x45;
    frame[17] = 28;
    frame[23] = 17;
    frame[26..30].copy_from_slice(&[198, 51, 100, 7]);
    frame[37] = 53;
    frame[39] = 8;
    let datagram = Datagram {
        source: Address::v4(0xc633_6407),
        protocol: UDP,
        port: Port::new(53),
        icmp: Icmp::NONE,
        facts: Facts::NONE,
        odd: Odd::NOTHING,
        network: 14,
        transport: 34,
        end: 42,
    };
    assert_eq!(parse(&frame[..], CHECKS), Ok(Frame::Ip(datagram)));
    assert_eq!(parse(&frame[..41], CHECKS), Err(Malformed));
}
