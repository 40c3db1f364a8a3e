//! Packets by description: bytes that a test sends through the program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A TCP flag byte.
pub(crate) const SYN: u8 = 0x02;
pub(crate) const FIN: u8 = 0x01;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// Builds a frame from the inside out.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: IpAddr,
    /// Where it goes; one address of the source's IP version unless told otherwise.
    pub(crate) to: IpAddr,
    pub(crate) payload: Vec<u8>,
    pub(crate) protocol: u8,
    /// VLAN tags, outermost first, as their ethertypes.
    pub(crate) tags: Vec<u16>,
    /// Bytes of IPv4 options; a multiple of four.
    pub(crate) options: usize,
    /// The IPv4 fragment field: flags and offset.
    pub(crate) fragment: u16,
    pub(crate) hop_limit: u8,
}

/// A TCP packet to a port.
pub(crate) fn tcp(from: &str, port: u16, flags: u8) -> Packet {
    let mut header = vec![0; 20];
    header[0..2].copy_from_slice(&40_000_u16.to_be_bytes());
    header[2..4].copy_from_slice(&port.to_be_bytes());
    header[12] = 5 << 4;
    header[13] = flags;
    Packet::of(from, 6, header)
}

/// A UDP packet to a port.
pub(crate) fn udp(from: &str, port: u16) -> Packet {
    let mut header = vec![0; 8];
    header[2..4].copy_from_slice(&port.to_be_bytes());
    header[4..6].copy_from_slice(&8_u16.to_be_bytes());
    Packet::of(from, 17, header)
}

/// An SCTP packet to a port, with one chunk of a type.
pub(crate) fn sctp(from: &str, port: u16, chunk: u8) -> Packet {
    let mut payload = vec![0; 16];
    payload[2..4].copy_from_slice(&port.to_be_bytes());
    payload[12] = chunk;
    Packet::of(from, 132, payload)
}

/// An echo request of the source's IP version.
pub(crate) fn ping(from: &str) -> Packet {
    let source: IpAddr = from.parse().unwrap();
    let (protocol, kind) = if source.is_ipv4() { (1, 8) } else { (58, 128) };
    Packet::of(from, protocol, vec![kind, 0, 0, 0, 0, 1, 0, 1])
}

/// An ICMP message of a type and code, of the source's IP version.
pub(crate) fn message(from: &str, kind: u8, code: u8) -> Packet {
    let mut packet = ping(from);
    packet.payload[..2].copy_from_slice(&[kind, code]);
    packet
}

/// An `ICMPv6` message of a type, from the link itself.
pub(crate) fn icmp6(from: &str, kind: u8) -> Packet {
    let mut packet = Packet::of(from, 58, vec![kind, 0, 0, 0, 0, 0, 0, 0]);
    packet.hop_limit = 255;
    packet
}

impl Packet {
    pub(crate) fn of(from: &str, protocol: u8, payload: Vec<u8>) -> Self {
        let from: IpAddr = from.parse().unwrap();
        let to = if from.is_ipv4() {
            "192.0.2.1"
        } else {
            "2001:db8::1"
        };
        Self {
            from,
            to: to.parse().unwrap(),
            payload,
            protocol,
            tags: Vec::new(),
            options: 0,
            fragment: 0,
            hop_limit: 64,
        }
    }

    pub(crate) fn to(mut self, address: &str) -> Self {
        self.to = address.parse().unwrap();
        self
    }

    pub(crate) fn tagged(mut self, tags: &[u16]) -> Self {
        self.tags = tags.to_vec();
        self
    }

    pub(crate) fn with_options(mut self, bytes: usize) -> Self {
        self.options = bytes;
        self
    }

    /// Makes it a fragment of IPv4, by the field of flags and offset.
    pub(crate) fn fragment(mut self, field: u16) -> Self {
        self.fragment = field;
        self
    }

    /// Puts an IPv6 extension header before what is there. `body` follows its next-header byte.
    pub(crate) fn behind(mut self, number: u8, body: &[u8]) -> Self {
        let mut payload = vec![self.protocol];
        payload.extend(body);
        payload.append(&mut self.payload);
        self.payload = payload;
        self.protocol = number;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
        for tag in &self.tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 7]);
        }
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.ipv4(&mut frame, from, to),
            (IpAddr::V6(from), IpAddr::V6(to)) => self.ipv6(&mut frame, from, to),
            (from, to) => panic!("from {from} to {to}"),
        }
        frame.extend(&self.payload);
        frame
    }

    fn ipv4(&self, frame: &mut Vec<u8>, from: Ipv4Addr, to: Ipv4Addr) {
        let words = 5 + self.options / 4;
        let total = words * 4 + self.payload.len();
        frame.extend(0x0800_u16.to_be_bytes());
        frame.extend([0x40 | u8::try_from(words).unwrap(), 0]);
        frame.extend(u16::try_from(total).unwrap().to_be_bytes());
        frame.extend([0, 1]);
        frame.extend(self.fragment.to_be_bytes());
        frame.extend([self.hop_limit, self.protocol, 0, 0]);
        frame.extend(from.octets());
        frame.extend(to.octets());
        frame.extend(std::iter::repeat_n(1, self.options));
    }

    fn ipv6(&self, frame: &mut Vec<u8>, from: Ipv6Addr, to: Ipv6Addr) {
        frame.extend(0x86dd_u16.to_be_bytes());
        frame.extend([0x60, 0, 0, 0]);
        let len = u16::try_from(self.payload.len()).unwrap();
        frame.extend(len.to_be_bytes());
        frame.extend([self.protocol, self.hop_limit]);
        frame.extend(from.octets());
        frame.extend(to.octets());
    }
}

/// An ARP request.
pub(crate) fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([0x02, 0, 0, 0, 0, 2, 0x08, 0x06]);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.resize(42, 0);
    frame
}

/// The sum of 16-bit words as the internet checksum wants it: all ones over what carries a good one.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let sum: u32 = words.sum();
    let once = (sum >> 16) + (sum & 0xffff);
    u16::try_from((once >> 16) + (once & 0xffff)).unwrap()
}
