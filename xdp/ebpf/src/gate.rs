//! Rates of what the program does beyond its verdicts, each shared by all CPUs.

use core::{
    intrinsics::{AtomicOrdering::SeqCst, atomic_cxchg},
    ptr,
};

use aya_ebpf::{macros::map, maps::Array};
use floodwall_limiter::{
    Nanos, Quota,
    gcra::{self, Step},
};

/// A gate's place in the map.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Gate {
    Sample = 0,
    Reset = 1,
    /// Of messages about a path's MTU, which pass whatever the rules say.
    PathMtu = 2,
}

/// A cache line for each gate, of which the first word is its theoretical arrival time.
#[map]
static GATES: Array<[u64; 8]> = Array::with_max_entries(3, 0);

impl Gate {
    /// Whether the quota has one more. Who loses a race for it goes without: the bound is what matters.
    #[inline(always)]
    pub(crate) fn admits(self, quota: Quota, now: Nanos) -> bool {
        let Some(line) = GATES.get_ptr_mut(self as u32) else {
            return false;
        };
        let word = line.cast::<u64>();
        // SAFETY: the first word of a map value is there and aligned, and changed by compare-exchange only.
        unsafe {
            let seen = ptr::read_volatile(word);
            match gcra::step(Nanos(seen), quota, now, 1) {
                Step::Admit { tat } => {
                    atomic_cxchg::<u64, { SeqCst }, { SeqCst }>(word, seen, tat.0).1
                }
                Step::Refuse { .. } => false,
            }
        }
    }
}
