//! Who sends a packet to whom: what the parser sees in a frame, for people.

use std::net::IpAddr;

use floodwall_xdp_abi::{Datagram, Frame, packet::parse};

/// The addresses of an IP packet, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// The number of the protocol above IP.
    pub protocol: u8,
    /// The destination port, where there is one.
    pub port: Option<u16>,
}

impl Header {
    /// Reads an Ethernet frame as the program does; nothing when it is no IP packet, or one that cannot be
    /// parsed.
    pub fn of(frame: &[u8]) -> Option<Self> {
        match parse(frame, 0) {
            Ok(Frame::Ip(datagram)) => Self::of_datagram(frame, &datagram),
            Ok(Frame::NotIp | Frame::NeighbourDiscovery) | Err(_) => None,
        }
    }

    fn of_datagram(frame: &[u8], datagram: &Datagram) -> Option<Self> {
        let header = frame.get(datagram.network..)?;
        let source = IpAddr::from(datagram.source);
        let destination = match source {
            IpAddr::V4(_) => IpAddr::from(*header.get(16..)?.first_chunk::<4>()?),
            IpAddr::V6(_) => IpAddr::from(*header.get(24..)?.first_chunk::<16>()?),
        };
        let port = datagram.port;
        Some(Self {
            source,
            destination,
            protocol: datagram.protocol,
            port: port.is_some().then(|| port.number()),
        })
    }
}
