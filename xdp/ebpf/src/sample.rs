//! Samples of what is dropped, for people: never more than the rules' rate.

use floodwall_limiter::Source;
use floodwall_xdp_abi::{Datagram, maps::Sample};

use crate::{fate::Fate, gate::Gate, maps, memory::Packet, rules::rule};

/// Puts a dropped packet into the ring buffer, if the rate has room for one.
#[inline(always)]
pub(crate) fn offer(packet: Packet, fate: Fate, datagram: &Datagram, bytes: u64) {
    let now = maps::coarse_clock().now;
    if !Gate::Sample.admits(rule!(sample), now) {
        return;
    }
    let Some(mut place) = maps::SAMPLES.reserve::<Sample>(0) else {
        if let Some(counters) = maps::counters() {
            counters.sample_lost();
        }
        return;
    };
    let source = match (datagram.source.as_v4(), datagram.source.halves()) {
        (Some(bits), _) => Source::v4(bits, 32),
        (None, [high, low]) => Source::v6(high, low, 128),
    };
    place.write(Sample {
        time: now.0,
        source: source.words(),
        limit: fate.limit,
        bytes: bytes as u32,
        ifindex: packet.ifindex(),
        port: datagram.port.bits(),
        protocol: datagram.protocol.into(),
        reason: fate.reason as u16,
    });
    place.submit(0);
}
