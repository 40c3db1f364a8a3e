//! Floodwall's XDP program: it drops what may not reach the host's stack.
//!
//! One entry point. A frame is parsed by the same code as in user space; its fate is decided in
//! [`verdict`]; every frame is counted under one [`Reason`]. A frame that cannot be parsed is dropped or
//! passed as `prefilter.malformed` says.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![expect(
    internal_features,
    reason = "BPF has a compare-exchange, but core's atomics for this target do not offer it"
)]

mod budget;
mod cells;
mod cookie;
mod fate;
mod gate;
mod lists;
mod maps;
mod memory;
mod record;
mod reply;
mod reset;
mod rules;
mod sample;
mod verdict;

use aya_ebpf::{macros::xdp, programs::XdpContext};
use floodwall_xdp_abi::{Frame, Malformed, Reason, packet, rules::DROP_MALFORMED};

use crate::{memory::Packet, rules::Asked};

/// It stands in the entry point that the attribute makes around it: a call costs as much as parsing.
///
/// # Minimum kernel version
/// 5.18, for packets in several buffers; 5.12 for the compare-exchange.
#[xdp(frags)]
#[inline(always)]
pub fn floodwall(ctx: XdpContext) -> u32 {
    let packet = Packet::of(&ctx);
    match packet::parse(&packet, Asked) {
        Ok(Frame::Ip(datagram)) => verdict::call(packet, datagram),
        Ok(Frame::NotIp) => fate::pass(packet, Reason::NotIp),
        Ok(Frame::NeighbourDiscovery) => fate::pass(packet, Reason::NeighbourDiscovery),
        Err(Malformed) if rules::on(DROP_MALFORMED) => {
            let fate = verdict::leased(Reason::Malformed);
            fate::end(packet, fate, &fate::UNPARSED)
        }
        Err(Malformed) => fate::pass(packet, Reason::MalformedPassed),
    }
}

/// Never runs: the verifier refuses a program that could come here, for it would not end.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
