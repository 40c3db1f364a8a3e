//! The packet in the kernel's memory.

use core::ptr;

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{bpf_xdp_adjust_tail, bpf_xdp_get_buff_len},
    programs::XdpContext,
};
use floodwall_xdp_abi::bytes::{Bytes, Window};

use crate::{reply::Writable, rules};

/// The packet's first buffer; headers are always in it.
#[derive(Clone, Copy)]
pub(crate) struct Packet {
    ctx: *mut xdp_md,
    data: usize,
    end: usize,
    /// See [`rules::unknown_zero`].
    zero: u64,
}

impl Packet {
    #[inline(always)]
    pub(crate) fn of(ctx: &XdpContext) -> Self {
        Self {
            ctx: ctx.ctx,
            data: ctx.data(),
            end: ctx.data_end(),
            zero: rules::unknown_zero(),
        }
    }

    /// The bytes of the frame, with those that are not in the first buffer.
    #[inline(always)]
    pub(crate) fn length(self) -> u64 {
        // SAFETY: the context is the one that the program was called with.
        unsafe { bpf_xdp_get_buff_len(self.ctx) }
    }

    /// As [`Packet::length`], without its call if the IP packet ends in the first buffer: then more buffers
    /// hold nothing but what somebody has put behind it.
    #[inline(always)]
    pub(crate) fn length_to(self, end: usize) -> u64 {
        let first = self.end - self.data;
        if end <= first {
            first as u64
        } else {
            self.length()
        }
    }

    /// `N` bytes at `at` to write to, if the first buffer has them.
    #[inline(always)]
    pub(crate) fn writable<const N: usize>(self, at: usize) -> Option<Writable> {
        let start = self.data + at;
        (start + N <= self.end).then_some(Writable::over(start as *mut u8))
    }

    /// The packet with so many bytes, in all its buffers: cut at its end, or longer by zeros.
    #[inline(always)]
    pub(crate) fn resized(self, length: usize) -> Option<Self> {
        let surplus = self.length() as i64 - length as i64;
        // SAFETY: the context is the one that the program was called with. No pointer into the packet from before
        // is used after this: the verifier refuses the program otherwise.
        let done = unsafe { bpf_xdp_adjust_tail(self.ctx, -surplus as i32) == 0 };
        done.then(|| Self::of(&XdpContext::new(self.ctx)))
    }

    #[inline(always)]
    pub(crate) fn context(self) -> *mut xdp_md {
        self.ctx
    }

    /// The number of the interface that it came in over.
    #[inline(always)]
    pub(crate) fn ifindex(self) -> u32 {
        // SAFETY: the context is the one that the program was called with.
        unsafe { (*self.ctx).ingress_ifindex }
    }
}

/// The loopback interface's number in every network namespace.
const LOOPBACK: u32 = 1;

impl Bytes for Packet {
    type Window<const N: usize> = Checked;

    #[inline(always)]
    fn window<const N: usize>(&self, at: usize) -> Option<Checked> {
        let start = self.data + at;
        (start + N <= self.end).then_some(Checked(start as *const u8))
    }

    #[inline(always)]
    fn reaches(&self, end: usize) -> bool {
        end <= self.end - self.data || end as u64 <= self.length()
    }

    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        rules::forget_by(self.zero, number)
    }

    #[inline(always)]
    fn is_looped(&self) -> bool {
        self.ifindex() == LOOPBACK
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
