//! The parser on bytes of every kind; the kernel's tests have the tables of good packets.

use proptest::prelude::*;

use super::{Address, Datagram, Frame, Malformed, Port, Protocol, parse};

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
const OFTEN: &[u8] = &[0, 1, 6, 17, 43, 44, 51, 58, 60, 0x50];

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes[..]);
    }

    #[test]
    fn a_shorter_packet_is_malformed_or_says_the_same(frame in frames(), cut in any::<prop::sample::Index>()) {
        let cut = &frame[..cut.index(frame.len() + 1)];
        if let Ok(short) = parse(cut) {
            prop_assert_eq!(parse(&frame[..]), Ok(short));
        }
    }

    #[test]
    fn only_a_whole_tcp_or_udp_header_has_a_port(frame in frames()) {
        if let Ok(Frame::Ip(datagram)) = parse(&frame[..]) {
            let has_ports = matches!(datagram.protocol, Protocol::Tcp | Protocol::Udp);
            prop_assert!(has_ports || !datagram.port.is_some());
            prop_assert!(!datagram.opens || datagram.protocol == Protocol::Tcp);
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
    let datagram = Datagram {
        source: Address::V4(0xc633_6407),
        protocol: Protocol::Udp,
        port: Port::new(53),
        opens: false,
    };
    assert_eq!(parse(&frame[..]), Ok(Frame::Ip(datagram)));
    assert_eq!(parse(&frame[..41]), Err(Malformed));
}
