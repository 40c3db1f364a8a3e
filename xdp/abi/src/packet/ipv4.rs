//! IPv4, RFC 791: options are skipped, later fragments have no ports.

use super::{Address, Datagram, Frame, Malformed, transport};
use crate::bytes::{Bytes, Window};

/// The header without options.
const HEADER: usize = 20;
const FRAGMENT_OFFSET: u16 = 0x1fff;
const ICMP: u8 = 1;

#[inline(always)]
pub(super) fn parse<B: Bytes + ?Sized>(bytes: &B, at: usize) -> Result<Frame, Malformed> {
    let header = bytes.window::<HEADER>(at).ok_or(Malformed)?;
    let first = header.u8(0);
    let length = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || length < HEADER || usize::from(header.u16(2)) < length {
        return Err(Malformed);
    }
    let number = header.u8(9);
    let transport = if header.u16(6) & FRAGMENT_OFFSET == 0 {
        transport::parse(bytes, at + length, number, ICMP)?
    } else {
        bytes.window::<0>(at + length).ok_or(Malformed)?;
        transport::of_later_fragment(number, ICMP)
    };
    Ok(Frame::Ip(Datagram {
        source: Address::V4(header.u32(12)),
        protocol: transport.protocol,
        port: transport.port,
        opens: transport.opens,
    }))
}
