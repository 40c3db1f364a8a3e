//! The answer to a blocked source's TCP: a reset.
//!
//! The client's connection fails at once instead of after minutes of retries. It is small, it goes out at a
//! bounded rate, and never in answer to a reset or to what was sent to a group, so that nobody can make the
//! host flood a third party.

use floodwall_xdp_abi::{
    Datagram,
    bytes::{Bytes as _, Window as _},
};

use crate::{
    gate::Gate,
    maps,
    memory::Packet,
    reply::{self, ACK, FIN, LAST_TRANSPORT, RST, SYN, Segment, TCP},
    rules::rule,
};

/// Makes the packet its own answer. False when it shall be dropped instead.
#[inline(always)]
pub(crate) fn answer(packet: Packet, datagram: &Datagram) -> bool {
    // Of what the verifier has forgotten: behind two tags the network header is at 22.
    let network = datagram.network & 31;
    let transport = datagram.transport;
    if transport > LAST_TRANSPORT || !reply::is_between_two(packet, datagram.source) {
        return false;
    }
    let Some(reset) = to(packet, transport, datagram.end) else {
        return false;
    };
    if !Gate::Reset.admits(rule!(reset), maps::coarse_clock().now) {
        return false;
    }
    let sent = if datagram.source.as_v4().is_some() {
        reset.over_ipv4::<TCP>(packet, network)
    } else {
        reset.over_ipv6::<TCP>(packet, network)
    };
    if let Some(counters) = maps::counters() {
        counters.reset();
    }
    sent.is_some()
}

/// The reset that a segment asks for (RFC 9293, 3.10.7.1).
#[inline(always)]
fn to(packet: Packet, transport: usize, end: usize) -> Option<Segment> {
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
    Some(Segment {
        from_port: segment.u16(2),
        to_port: segment.u16(0),
        sequence,
        acknowledgement,
        flags,
        window: 0,
        mss: 0,
    })
}
