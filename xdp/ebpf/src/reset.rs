//! The answer to a blocked source's TCP: a reset, made of the packet itself and sent back where it came from.
//!
//! The client's connection fails at once instead of after minutes of retries. It is small, it goes out at a
//! bounded rate, and never in answer to a reset or to what was sent to a group, so that nobody can make the
//! host flood a third party.

use core::ptr;

use aya_ebpf::helpers::bpf_xdp_adjust_tail;
use floodwall_xdp_abi::{
    Address, Datagram,
    bytes::{Bytes as _, Window as _},
};

use crate::{gate::Gate, maps, memory::Packet, rules::rule};

const TCP: usize = 20;
const IPV4: usize = 20;
const IPV6: usize = 40;
const HOPS: u8 = 64;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Makes the packet its own answer. False when it shall be dropped instead.
#[inline(always)]
pub(crate) fn answer(packet: Packet, datagram: &Datagram) -> bool {
    // Of what the verifier has forgotten: behind two tags the network header is at 22.
    let network = datagram.network & 31;
    let transport = datagram.transport;
    if transport > LAST_TRANSPORT || !is_to_one(packet) || !is_from_one(datagram.source) {
        return false;
    }
    let Some(answer) = Answer::to(packet, transport, datagram.end) else {
        return false;
    };
    if !Gate::Reset.admits(rule!(reset), maps::coarse_clock().now) {
        return false;
    }
    let length = if datagram.source.as_v4().is_some() {
        answer.over_ipv4(packet, network)
    } else {
        answer.over_ipv6(packet, network)
    };
    if let Some(counters) = maps::counters() {
        counters.reset();
    }
    length.is_some_and(|length| trim(packet, length))
}

/// Who puts more headers before TCP does without an answer.
const LAST_TRANSPORT: usize = 255;

/// Whether the frame was sent to this host and to no group.
#[inline(always)]
fn is_to_one(packet: Packet) -> bool {
    packet
        .window::<1>(0)
        .is_some_and(|first| first.u8(0) & 1 == 0)
}

#[inline(always)]
fn is_from_one(source: Address) -> bool {
    match (source.as_v4(), source.halves()) {
        (Some(bits), _) => bits >> 28 < 14,
        (None, [high, _]) => high >> 56 != 0xff,
    }
}

/// What the reset says, in host byte order.
struct Answer {
    from_port: u16,
    to_port: u16,
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
}

impl Answer {
    /// The reset that the segment asks for (RFC 9293, 3.10.7.1).
    #[inline(always)]
    fn to(packet: Packet, transport: usize, end: usize) -> Option<Self> {
        let segment = packet.window::<TCP>(transport)?;
        let flags = segment.u8(13);
        let header = usize::from(segment.u8(12) >> 4) * 4;
        let text = end.saturating_sub(transport + header) as u32;
        let length = text + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        let (sequence, acknowledgement, flags) = if flags & ACK != 0 {
            (segment.u32(8), 0, RST)
        } else {
            (0, segment.u32(4).wrapping_add(length), RST | ACK)
        };
        Some(Self {
            from_port: segment.u16(2),
            to_port: segment.u16(0),
            sequence,
            acknowledgement,
            flags,
        })
    }

    /// Writes the frame's headers. Tells how long it is.
    #[inline(always)]
    fn over_ipv4(&self, packet: Packet, network: usize) -> Option<usize> {
        let frame = packet.writable::<{ IPV4 + TCP }>(network)?;
        let (from, to) = (frame.u32(16), frame.u32(12));
        let total = (IPV4 + TCP) as u16;
        frame.put_u16(0, 0x4500);
        frame.put_u16(2, total);
        // No fragment, and to be none.
        frame.put_u32(4, 0x4000);
        frame.put_u16(8, u16::from_be_bytes([HOPS, 6]));
        frame.put_u16(10, 0);
        frame.put_u32(12, from);
        frame.put_u32(16, to);
        let addresses = halves(from) + halves(to);
        let sum = 0x4500 + u32::from(total) + 0x4000 + (u32::from(HOPS) << 8 | 6) + addresses;
        frame.put_u16(10, folded(sum));
        self.write(&frame, IPV4, addresses);
        swap_ethernet(packet)?;
        Some(network + IPV4 + TCP)
    }

    /// Writes the frame's headers. Tells how long it is.
    #[inline(always)]
    fn over_ipv6(&self, packet: Packet, network: usize) -> Option<usize> {
        let frame = packet.writable::<{ IPV6 + TCP }>(network)?;
        frame.put_u32(0, 0x6000_0000);
        frame.put_u16(4, TCP as u16);
        frame.put_u16(6, u16::from_be_bytes([6, HOPS]));
        let mut addresses = 0;
        for word in 0..4 {
            let (from, to) = (frame.u32(24 + word * 4), frame.u32(8 + word * 4));
            frame.put_u32(8 + word * 4, from);
            frame.put_u32(24 + word * 4, to);
            addresses += halves(from) + halves(to);
        }
        self.write(&frame, IPV6, addresses);
        swap_ethernet(packet)?;
        Some(network + IPV6 + TCP)
    }

    /// Writes the TCP header; `addresses` is what they add to its checksum.
    #[inline(always)]
    fn write(&self, frame: &Writable, at: usize, addresses: u32) {
        let ports = u32::from(self.from_port) << 16 | u32::from(self.to_port);
        let flags = 5 << 12 | u32::from(self.flags);
        frame.put_u32(at, ports);
        frame.put_u32(at + 4, self.sequence);
        frame.put_u32(at + 8, self.acknowledgement);
        // And a window of nothing.
        frame.put_u32(at + 12, flags << 16);
        let sum = addresses
            + 6
            + TCP as u32
            + halves(ports)
            + halves(self.sequence)
            + halves(self.acknowledgement)
            + flags;
        frame.put_u32(at + 16, u32::from(folded(sum)) << 16);
    }
}

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

/// Cuts off what is behind the answer, in every buffer.
#[inline(always)]
fn trim(packet: Packet, length: usize) -> bool {
    let surplus = packet.length() as i64 - length as i64;
    // SAFETY: the context is the one that the program was called with; no pointer into the packet is used
    // after this.
    unsafe { bpf_xdp_adjust_tail(packet.context(), -surplus as i32) == 0 }
}

/// Bytes of a packet that may be written.
pub(crate) struct Writable(*mut u8);

impl Writable {
    #[inline(always)]
    pub(crate) fn over(start: *mut u8) -> Self {
        Self(start)
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
