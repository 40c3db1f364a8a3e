//! What a verdict comes to: a count, perhaps a sample, perhaps an answer, and the action.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX};
use floodwall_xdp_abi::{
    Address, Datagram, Facts, Icmp, Odd, Port, Reason,
    rules::{COOKIES, RESETS, SAMPLES},
};

use crate::{cookie, maps, memory::Packet, reset, rules, sample};

/// What was decided over a packet.
#[derive(Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) reason: Reason,
    /// The id of the limit that refused it; zero for another reason.
    pub(crate) limit: u64,
    /// That limit's place among the counters.
    pub(crate) slot: u32,
}

impl From<Reason> for Fate {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            limit: 0,
            slot: 0,
        }
    }
}

/// Stands for what could not be parsed. It has no end that would be in the first buffer.
pub(crate) const UNPARSED: Datagram = Datagram {
    source: Address::v6(0, 0),
    protocol: 0,
    port: Port::NONE,
    icmp: Icmp::NONE,
    facts: Facts::NONE,
    odd: Odd::NOTHING,
    network: 0,
    transport: 0,
    end: usize::MAX,
};

#[inline(always)]
pub(crate) fn pass(packet: Packet, reason: Reason) -> u32 {
    maps::count(packet.ifindex(), reason, 0);
    XDP_PASS
}

#[inline(always)]
pub(crate) fn end(packet: Packet, fate: Fate, datagram: &Datagram) -> u32 {
    let fate = if rules::on(COOKIES) && matches!(fate.reason, Reason::Cookie) {
        if cookie::answer(packet, datagram, fate.slot) {
            maps::count(packet.ifindex(), Reason::Cookie, 0);
            return XDP_TX;
        }
        Fate {
            reason: Reason::Limited,
            ..fate
        }
    } else {
        fate
    };
    if !fate.reason.drops() {
        return pass(packet, fate.reason);
    }
    let bytes = packet.length_to(datagram.end);
    maps::count(packet.ifindex(), fate.reason, bytes);
    if rules::on(SAMPLES) {
        sample::offer(packet, fate, datagram, bytes);
    }
    let blocked = matches!(fate.reason, Reason::Blocked | Reason::BlockedHost);
    if rules::on(RESETS)
        && blocked
        && datagram.facts.has(Facts::RESETTABLE)
        && reset::answer(packet, datagram)
    {
        return XDP_TX;
    }
    XDP_DROP
}
