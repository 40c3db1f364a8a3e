//! Ethernet frames with IPv4 in them, right in every length and checksum unless a test breaks them.

use std::net::Ipv4Addr;

/// TCP flags.
pub(crate) const SYN: u8 = 0x02;
pub(crate) const ACK: u8 = 0x10;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A TCP segment without data to a port of `to`.
pub(crate) fn tcp(from: Ipv4Addr, to: Ipv4Addr, port: u16, flags: u8) -> Vec<u8> {
    let mut segment = vec![0; 20];
    segment[0..2].copy_from_slice(&40_000_u16.to_be_bytes());
    segment[2..4].copy_from_slice(&port.to_be_bytes());
    segment[12] = 5 << 4;
    segment[13] = flags;
    segment[14..16].copy_from_slice(&1024_u16.to_be_bytes());
    let mut pseudo = [from.octets(), to.octets()].concat();
    pseudo.extend([0, TCP, 0, 20]);
    let sum = checksum(&[pseudo, segment.clone()].concat());
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ethernet(&ipv4(from, to, TCP, &segment))
}

/// A UDP datagram of so many bytes of data; its checksum is left out, as it may be.
pub(crate) fn udp(from: Ipv4Addr, to: Ipv4Addr, port: u16, data: u16) -> Vec<u8> {
    let mut datagram = Vec::new();
    for word in [40_000, port, 8 + data, 0] {
        datagram.extend(word.to_be_bytes());
    }
    datagram.resize(8 + usize::from(data), 0);
    ethernet(&ipv4(from, to, UDP, &datagram))
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).expect("a short packet");
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&header, payload].concat()
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(high) << 8 | u32::from(low),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("sixteen bits")
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend(packet);
    frame
}
