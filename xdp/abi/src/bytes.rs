//! How the parser sees a packet: windows of a known size whose bounds were checked once.
//!
//! The kernel's verifier wants one comparison with the packet's end before any load, and the loads
//! relative to what was compared. A window is just that; in user space it is an array.

/// A packet.
pub trait Bytes {
    /// `N` bytes that are known to be there.
    type Window<const N: usize>: Window;

    /// The `N` bytes at `at`, if the packet is long enough. With `N` = 0 it tells whether `at` is inside.
    fn window<const N: usize>(&self, at: usize) -> Option<Self::Window<N>>;

    /// Whether the whole frame is at least this long, with what is not in its first buffer.
    fn reaches(&self, end: usize) -> bool;

    /// Whether it came in over the loopback interface.
    fn is_looped(&self) -> bool;

    /// The same number. The kernel's side makes the verifier forget what it knows of it, where ways join whose
    /// difference matters to nobody behind: what follows is looked at once then, instead of once for each way.
    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        number
    }
}

/// [`Bytes::forget`] for smaller numbers.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a number comes back as it went in"
)]
pub(crate) trait Forget: Bytes {
    #[inline(always)]
    fn forget_u8(&self, number: u8) -> u8 {
        self.forget(number.into()) as u8
    }

    #[inline(always)]
    fn forget_u16(&self, number: u16) -> u16 {
        self.forget(number.into()) as u16
    }

    #[inline(always)]
    fn forget_u32(&self, number: u32) -> u32 {
        self.forget(number.into()) as u32
    }

    #[inline(always)]
    fn forget_size(&self, number: usize) -> usize {
        self.forget(number as u64) as usize
    }
}

impl<B: Bytes + ?Sized> Forget for B {}

/// Some bytes of a packet that are known to be there. Numbers are read in network order.
///
/// Reading beyond the window's size is a defect of the parser: user space panics, and the verifier
/// refuses the program.
pub trait Window {
    fn u8(&self, at: usize) -> u8;
    fn u16(&self, at: usize) -> u16;
    fn u32(&self, at: usize) -> u32;
    fn u64(&self, at: usize) -> u64;
}

impl Bytes for [u8] {
    type Window<const N: usize> = [u8; N];

    fn window<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.get(at..)?.first_chunk().copied()
    }

    fn reaches(&self, end: usize) -> bool {
        self.len() >= end
    }

    /// Bytes alone came from somewhere else.
    fn is_looped(&self) -> bool {
        false
    }
}

impl<const N: usize> Window for [u8; N] {
    fn u8(&self, at: usize) -> u8 {
        self[at]
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self[at], self[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) << 16 | u32::from(self.u16(at + 2))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) << 32 | u64::from(self.u32(at + 4))
    }
}
