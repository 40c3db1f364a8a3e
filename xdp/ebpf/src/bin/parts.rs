//! What measurements need: programs that do one thing each, to tell what it costs, and others to compare with.
//!
//! An object of its own, which nothing but benches and tests loads.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "BPF has a compare-exchange, but core's atomics for this target do not offer it"
)]

use core::{
    intrinsics::{AtomicOrdering::SeqCst, atomic_cxchg},
    ptr,
};

use aya_ebpf::{
    bindings::{
        BPF_F_NO_PREALLOC,
        xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX},
    },
    helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns},
    macros::{map, xdp},
    maps::{Array, LpmTrie, PerCpuArray, lpm_trie::Key},
    programs::XdpContext,
};
use floodwall_limiter::{KeyHash, Secret, Source};

#[map]
static WORDS: Array<u64> = Array::with_max_entries(8, 0);
/// A cache line each.
#[map]
static LINES: Array<[u64; 8]> = Array::with_max_entries(EXCHANGES, 0);
#[map]
static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(8, 0);
// Whoever fills it sets how many there may be.
#[map]
static TRIE: LpmTrie<[u8; 4], u8> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

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

/// Reads the clock that budgets need.
#[xdp(frags)]
pub fn clock(_: XdpContext) -> u32 {
    // SAFETY: this helper has no conditions.
    pass_with(unsafe { bpf_ktime_get_ns() })
}

/// Reads the clock of the last timer tick.
#[xdp(frags)]
pub fn coarse_clock(_: XdpContext) -> u32 {
    // SAFETY: this helper has no conditions.
    pass_with(unsafe { bpf_ktime_get_coarse_ns() })
}

/// Reads the count of timer ticks, which the verifier makes a load.
#[xdp(frags)]
pub fn ticks(_: XdpContext) -> u32 {
    // SAFETY: this helper has no conditions.
    pass_with(unsafe { bpf_jiffies64() })
}

/// Calls a function that does nothing, and returns.
#[xdp(frags)]
pub fn call(_: XdpContext) -> u32 {
    pass_with(nothing(1))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn nothing(number: u64) -> u64 {
    // SAFETY: reads its own argument, so that the compiler keeps the call.
    unsafe { ptr::read_volatile(&raw const number) }
}

/// Looks up an element of an array and reads it.
#[xdp(frags)]
pub fn lookup(_: XdpContext) -> u32 {
    pass_with(WORDS.get(1).copied().unwrap_or(0))
}

/// The same, and one locked compare-exchange on it.
#[xdp(frags)]
pub fn exchange(_: XdpContext) -> u32 {
    let Some(word) = WORDS.get_ptr_mut(2) else {
        return XDP_ABORTED;
    };
    pass_with(advance(word))
}

/// How many exchanges [`exchanges`] makes.
const EXCHANGES: u32 = 16;

/// As many looks into an array as there may be limits, each with a compare-exchange in a cache line of its own:
/// what limits cannot cost less than.
#[xdp(frags)]
pub fn exchanges(_: XdpContext) -> u32 {
    let mut last = 0;
    for line in 0..EXCHANGES {
        let Some(line) = LINES.get_ptr_mut(line) else {
            return XDP_ABORTED;
        };
        last = advance(line.cast());
    }
    pass_with(last)
}

#[inline(always)]
fn advance(word: *mut u64) -> u64 {
    // SAFETY: the word is there and aligned, and changed by compare-exchange only.
    unsafe {
        let seen = ptr::read_volatile(word);
        atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(word, seen, seen + 2).0
    }
}

/// Adds one to a counter of this CPU's.
#[xdp(frags)]
pub fn count(_: XdpContext) -> u32 {
    let Some(count) = COUNTS.get_ptr_mut(1) else {
        return XDP_ABORTED;
    };
    // SAFETY: the word is this CPU's alone, and an XDP program is not preempted by another.
    unsafe { *count += 1 };
    XDP_PASS
}

/// Hashes an IPv4 source as limits and blocks do.
#[xdp(frags)]
pub fn hash(ctx: XdpContext) -> u32 {
    let Some(source) = source(&ctx) else {
        return XDP_ABORTED;
    };
    let source = Source::v4(u32::from_be_bytes(source), 32);
    pass_with(KeyHash::of_source(SECRET, source).bits())
}

const SECRET: Secret = Secret {
    k0: 0x0706_0504_0302_0100,
    k1: 0x0f0e_0d0c_0b0a_0908,
};

/// Drops IPv4 packets from sources that the kernel's own trie of prefixes has.
#[xdp(frags)]
pub fn trie(ctx: XdpContext) -> u32 {
    let Some(source) = source(&ctx) else {
        return XDP_ABORTED;
    };
    match TRIE.get(&Key::new(32, source)) {
        Some(_) => XDP_DROP,
        None => XDP_PASS,
    }
}

/// The source of an IPv4 packet right behind an Ethernet header.
#[inline(always)]
fn source(ctx: &XdpContext) -> Option<[u8; 4]> {
    const AT: usize = 14 + 12;
    let start = ctx.data() + AT;
    // SAFETY: the four bytes are before the packet's end.
    (start + 4 <= ctx.data_end()).then(|| unsafe { ptr::read_unaligned(start as *const [u8; 4]) })
}

/// Passes the packet, but by way of a number, so that the compiler does not drop what it was made of.
#[inline(always)]
fn pass_with(number: u64) -> u32 {
    if number == u64::MAX {
        XDP_ABORTED
    } else {
        XDP_PASS
    }
}

/// Never runs, see the pre-filter's program.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
