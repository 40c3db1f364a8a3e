//! An abuser's packets: TCP segments that no stack of ours keeps in mind.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Sends connection attempts from one address to one server, as fast as it is told.
#[derive(Debug)]
pub(crate) struct Knocker {
    socket: Socket,
    to: SockAddr,
    segment: [u8; SEGMENT],
    /// The sum of all that stays the same, without the source port.
    sum: u32,
}

/// A TCP header without options.
const SEGMENT: usize = 20;
const SYN: u8 = 2;

impl Knocker {
    /// Opens the raw socket; the kernel writes the IP header.
    pub(crate) fn new(from: Ipv4Addr, to: SocketAddrV4) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        // It hears every answer to this host, and listens to none.
        socket.set_recv_buffer_size(0)?;
        let mut segment = [0; SEGMENT];
        segment[2..4].copy_from_slice(&to.port().to_be_bytes());
        // Sequence number 1, five words of header, and a window.
        segment[7] = 1;
        segment[12] = 5 << 4;
        segment[13] = SYN;
        segment[14] = 0xff;
        let length = u16::try_from(SEGMENT)?;
        let pseudo = [
            from.octets(),
            to.ip().octets(),
            [0, 6, length.to_be_bytes()[0], length.to_be_bytes()[1]],
        ];
        let words = pseudo
            .as_flattened()
            .chunks_exact(2)
            .chain(segment.chunks_exact(2));
        let sum = words
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        Ok(Self {
            socket,
            to: SocketAddr::from((*to.ip(), 0)).into(),
            segment,
            sum,
        })
    }

    /// Sends one SYN.
    pub(crate) fn knock(&mut self, source_port: u16) -> anyhow::Result<()> {
        self.segment[..2].copy_from_slice(&source_port.to_be_bytes());
        let checksum = checksum(self.sum + u32::from(source_port));
        self.segment[16..18].copy_from_slice(&checksum.to_be_bytes());
        self.socket.send_to(&self.segment, &self.to)?;
        Ok(())
    }
}

/// Folds a sum of 16-bit words as RFC 1071 says.
fn checksum(sum: u32) -> u16 {
    let [high, low] = [sum >> 16, sum & 0xffff];
    let folded = high + low;
    let [high, low] = [folded >> 16, folded & 0xffff];
    let last = u16::try_from(high + low).unwrap_or(u16::MAX);
    !last
}
