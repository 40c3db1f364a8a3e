//! The transport's ports and flags.

use super::{Malformed, Port, Protocol, Transport};
use crate::bytes::{Bytes, Window};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// A TCP header without options. A first fragment that is shorter hides the flags (RFC 1858): malformed.
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const ICMP_HEADER: usize = 4;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Parses the header at `at` of the protocol with this number; `icmp` is the number of this IP version's ICMP.
#[inline(always)]
pub(super) fn parse<B: Bytes + ?Sized>(
    bytes: &B,
    at: usize,
    number: u8,
    icmp: u8,
) -> Result<Transport, Malformed> {
    let mut transport = of_later_fragment(number, icmp);
    match transport.protocol {
        Protocol::Tcp => {
            let header = bytes.window::<TCP_HEADER>(at).ok_or(Malformed)?;
            if header.u8(12) >> 4 < 5 {
                return Err(Malformed);
            }
            transport.port = Port::new(header.u16(2));
            transport.opens = header.u8(13) & (SYN | ACK) == SYN;
        }
        Protocol::Udp => {
            let header = bytes.window::<UDP_HEADER>(at).ok_or(Malformed)?;
            transport.port = Port::new(header.u16(2));
        }
        Protocol::Icmp => {
            bytes.window::<ICMP_HEADER>(at).ok_or(Malformed)?;
        }
        Protocol::Other => {
            bytes.window::<0>(at).ok_or(Malformed)?;
        }
    }
    Ok(transport)
}

/// What is known of a transport whose header is in another fragment.
#[inline(always)]
pub(super) fn of_later_fragment(number: u8, icmp: u8) -> Transport {
    let protocol = match number {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        _ if number == icmp => Protocol::Icmp,
        _ => Protocol::Other,
    };
    Transport {
        protocol,
        port: Port::NONE,
        opens: false,
    }
}
