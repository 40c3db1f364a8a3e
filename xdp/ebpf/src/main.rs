//! Floodwall's XDP program: it drops what may not reach the host's stack.
//!
//! One entry point. A frame is parsed by the same code as in user space; its fate is decided in
//! [`verdict`]; every frame is counted under one [`Reason`]. A frame that cannot be parsed is dropped or
//! passed as `prefilter.malformed` says.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "BPF has a compare-exchange, but core's atomics for this target do not offer it"
)]

mod budget;
mod cells;
mod lists;
mod maps;
mod memory;
mod record;
mod rules;
mod verdict;

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX},
    macros::xdp,
    programs::XdpContext,
};
use floodwall_xdp_abi::{Frame, Malformed, Reason, packet, rules::DROP_MALFORMED};

use crate::memory::Packet;

/// # Minimum kernel version
/// 5.18, for packets in several buffers; 5.12 for the compare-exchange.
#[xdp(frags)]
pub fn floodwall(ctx: XdpContext) -> u32 {
    match packet::parse(&Packet::of(&ctx)) {
        Ok(Frame::Ip(datagram)) => verdict::call(&ctx, datagram),
        Ok(Frame::NotIp) => end(Reason::NotIp),
        Ok(Frame::NeighbourDiscovery) => end(Reason::NeighbourDiscovery),
        Err(Malformed) if rules::on(DROP_MALFORMED) => end(verdict::leased(Reason::Malformed)),
        Err(Malformed) => end(Reason::MalformedPassed),
    }
}

/// Counts the reason and says what it means for the packet.
#[inline(always)]
fn end(reason: Reason) -> u32 {
    if let Some(counters) = maps::counters() {
        counters.count(reason);
    }
    if reason.drops() { XDP_DROP } else { XDP_PASS }
}

/// Passes everything: what a measurement takes off.
#[xdp(frags)]
pub fn empty(_: XdpContext) -> u32 {
    XDP_PASS
}

/// Sends everything back to where it came from: what a measurement makes packets with.
#[xdp(frags)]
pub fn transmit(_: XdpContext) -> u32 {
    XDP_TX
}

/// Never runs: the verifier refuses a program that could come here, for it would not end.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
