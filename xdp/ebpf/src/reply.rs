//! A TCP segment that the packet itself is made into, and sent back where it came from.
//!
//! Addresses, ports and VLAN tags are the packet's own; options and extension headers are left out.

use core::ptr;

use floodwall_xdp_abi::{
    Address,
    bytes::{Bytes as _, Window as _},
};

use crate::memory::Packet;

/// A TCP header without options.
pub(crate) const TCP: usize = 20;
/// A TCP header whose only option is the largest segment size.
pub(crate) const TCP_WITH_MSS: usize = 24;
pub(crate) const IPV4: usize = 20;
pub(crate) const IPV6: usize = 40;
const HOPS: u8 = 64;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// Who puts more headers before TCP does without an answer.
pub(crate) const LAST_TRANSPORT: usize = 255;

/// Whether a frame may be answered: it was sent to this host and to no group, and by one address.
#[inline(always)]
pub(crate) fn is_between_two(packet: Packet, source: Address) -> bool {
    let to_one = packet
        .window::<1>(0)
        .is_some_and(|first| first.u8(0) & 1 == 0);
    to_one
        && match (source.as_v4(), source.halves()) {
            (Some(bits), _) => bits >> 28 < 14,
            (None, [high, _]) => high >> 56 != 0xff,
        }
}

/// What a segment says, in host byte order.
pub(crate) struct Segment {
    pub(crate) from_port: u16,
    pub(crate) to_port: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    /// In bytes.
    pub(crate) window: u16,
    /// The largest segment that is taken, in bytes; said with a header of [`TCP_WITH_MSS`] bytes only.
    pub(crate) mss: u16,
}

impl Segment {
    /// Makes the packet this segment over IPv4, with a TCP header of so many bytes.
    #[inline(always)]
    pub(crate) fn over_ipv4<const HEADER: usize>(
        &self,
        packet: Packet,
        network: usize,
    ) -> Option<()> {
        let packet = packet.resized(network + IPV4 + HEADER)?;
        swap_ethernet(packet)?;
        let header = packet.writable::<IPV4>(network)?;
        let (from, to) = (header.u32(16), header.u32(12));
        let total = (IPV4 + HEADER) as u16;
        header.put_u16(0, 0x4500);
        header.put_u16(2, total);
        // No fragment, and to be none.
        header.put_u32(4, 0x4000);
        header.put_u16(8, u16::from_be_bytes([HOPS, 6]));
        header.put_u16(10, 0);
        header.put_u32(12, from);
        header.put_u32(16, to);
        let addresses = halves(from) + halves(to);
        let sum = 0x4500 + u32::from(total) + 0x4000 + (u32::from(HOPS) << 8 | 6) + addresses;
        header.put_u16(10, folded(sum));
        self.write::<HEADER>(packet, network + IPV4, addresses)
    }

    /// As [`Segment::over_ipv4`].
    #[inline(always)]
    pub(crate) fn over_ipv6<const HEADER: usize>(
        &self,
        packet: Packet,
        network: usize,
    ) -> Option<()> {
        let packet = packet.resized(network + IPV6 + HEADER)?;
        swap_ethernet(packet)?;
        let header = packet.writable::<IPV6>(network)?;
        header.put_u32(0, 0x6000_0000);
        header.put_u16(4, HEADER as u16);
        header.put_u16(6, u16::from_be_bytes([6, HOPS]));
        let mut addresses = 0;
        for word in 0..4 {
            let (from, to) = (header.u32(24 + word * 4), header.u32(8 + word * 4));
            header.put_u32(8 + word * 4, from);
            header.put_u32(24 + word * 4, to);
            addresses += halves(from) + halves(to);
        }
        self.write::<HEADER>(packet, network + IPV6, addresses)
    }

    /// Writes the TCP header; `addresses` is what they add to its checksum.
    #[inline(always)]
    fn write<const HEADER: usize>(
        &self,
        packet: Packet,
        transport: usize,
        addresses: u32,
    ) -> Option<()> {
        let header = packet.writable::<HEADER>(transport)?;
        let ports = u32::from(self.from_port) << 16 | u32::from(self.to_port);
        let flags = (HEADER as u32 / 4) << 12 | u32::from(self.flags);
        let window = u32::from(self.window);
        header.put_u32(0, ports);
        header.put_u32(4, self.sequence);
        header.put_u32(8, self.acknowledgement);
        header.put_u32(12, flags << 16 | window);
        let mut sum = addresses
            + 6
            + HEADER as u32
            + halves(ports)
            + halves(self.sequence)
            + halves(self.acknowledgement)
            + flags
            + window;
        if HEADER == TCP_WITH_MSS {
            let option = MSS_OPTION | u32::from(self.mss);
            header.put_u32(20, option);
            sum += halves(option);
        }
        header.put_u32(16, u32::from(folded(sum)) << 16);
        Some(())
    }
}

/// The option's kind 2 and its length of 4 bytes (RFC 9293, 3.2).
const MSS_OPTION: u32 = 2 << 24 | 4 << 16;

/// Both halves of a word, as a checksum adds them up.
#[inline(always)]
fn halves(word: u32) -> u32 {
    (word >> 16) + (word & 0xffff)
}

/// The internet checksum of a sum (RFC 1071).
#[inline(always)]
fn folded(sum: u32) -> u16 {
    let once = (sum >> 16) + (sum & 0xffff);
    !((once >> 16) + (once & 0xffff)) as u16
}

#[inline(always)]
fn swap_ethernet(packet: Packet) -> Option<()> {
    let frame = packet.writable::<12>(0)?;
    let (to, from) = ((frame.u32(0), frame.u16(4)), (frame.u32(6), frame.u16(10)));
    frame.put_u32(0, from.0);
    frame.put_u16(4, from.1);
    frame.put_u32(6, to.0);
    frame.put_u16(10, to.1);
    Some(())
}

/// Bytes of a packet that may be written.
pub(crate) struct Writable(*mut u8);

impl Writable {
    #[inline(always)]
    pub(crate) fn over(start: *mut u8) -> Self {
        Self(start)
    }

    #[inline(always)]
    pub(crate) fn start(&self) -> *mut u8 {
        self.0
    }

    #[inline(always)]
    fn u16(&self, at: usize) -> u16 {
        // SAFETY: `at` is within what was checked; the verifier refuses the program otherwise.
        u16::from_be(unsafe { ptr::read_unaligned(self.0.add(at).cast()) })
    }

    #[inline(always)]
    fn u32(&self, at: usize) -> u32 {
        // SAFETY: as above.
        u32::from_be(unsafe { ptr::read_unaligned(self.0.add(at).cast()) })
    }

    #[inline(always)]
    fn put_u16(&self, at: usize, value: u16) {
        // SAFETY: as above; nobody else has the packet.
        unsafe { ptr::write_unaligned(self.0.add(at).cast(), value.to_be()) }
    }

    #[inline(always)]
    fn put_u32(&self, at: usize, value: u32) {
        // SAFETY: as above; nobody else has the packet.
        unsafe { ptr::write_unaligned(self.0.add(at).cast(), value.to_be()) }
    }
}
