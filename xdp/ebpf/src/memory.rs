//! The packet in the kernel's memory.

use core::ptr;

use aya_ebpf::programs::XdpContext;
use floodwall_xdp_abi::bytes::{Bytes, Window};

/// The packet's first buffer; headers are always in it.
pub(crate) struct Packet {
    data: usize,
    end: usize,
}

impl Packet {
    #[inline(always)]
    pub(crate) fn of(ctx: &XdpContext) -> Self {
        Self {
            data: ctx.data(),
            end: ctx.data_end(),
        }
    }
}

impl Bytes for Packet {
    type Window<const N: usize> = Checked;

    #[inline(always)]
    fn window<const N: usize>(&self, at: usize) -> Option<Checked> {
        let start = self.data + at;
        (start + N <= self.end).then_some(Checked(start as *const u8))
    }
}

/// Bytes below the packet's end.
pub(crate) struct Checked(*const u8);

impl Checked {
    #[inline(always)]
    fn read<T>(&self, at: usize) -> T {
        // SAFETY: `at` is within the window, whose bounds were checked when it was made; the verifier
        // refuses the program otherwise.
        unsafe { ptr::read_unaligned(self.0.add(at).cast()) }
    }
}

impl Window for Checked {
    #[inline(always)]
    fn u8(&self, at: usize) -> u8 {
        self.read(at)
    }

    #[inline(always)]
    fn u16(&self, at: usize) -> u16 {
        u16::from_be(self.read(at))
    }

    #[inline(always)]
    fn u32(&self, at: usize) -> u32 {
        u32::from_be(self.read(at))
    }

    #[inline(always)]
    fn u64(&self, at: usize) -> u64 {
        u64::from_be(self.read(at))
    }
}
