//! The maps, and safe views of what is in them.

use core::ptr;

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns},
    macros::map,
    maps::{Array, PerCpuArray, RingBuf},
};
use floodwall_limiter::{FlowId, Nanos, block};
use floodwall_xdp_abi::{
    Port, Reason,
    maps::{
        BLOCK_RECORDS, Class, Control, Counters, GONE_ROW, LimitCount, PORT_COUNT, ROW_INDICES,
        Reasons, SAMPLES_BYTES, SLOTS,
    },
    rules::INJECTED_CLOCK,
};

use crate::{
    cells::Set,
    rules::{self, rule},
};

// The loader sets how many there are.
#[map]
static FLOWS: Array<[u64; 8]> = Array::with_max_entries(64, BPF_F_MMAPABLE);
#[map]
static BLOCKS: Array<[u64; block::RECORD_BYTES / 8]> =
    Array::with_max_entries(BLOCK_RECORDS, BPF_F_MMAPABLE);
#[map]
static CONTROL: Array<Control> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);
#[map]
static INTERFACES: PerCpuArray<Reasons> = PerCpuArray::with_max_entries(GONE_ROW + 1, 0);
#[map]
static ROWS: Array<[u8; ROW_INDICES]> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
pub(crate) static SAMPLES: RingBuf = RingBuf::with_byte_size(SAMPLES_BYTES, 0);
#[map]
static CLASSES: Array<Class> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static PORTS: Array<u64> = Array::with_max_entries(PORT_COUNT, BPF_F_MMAPABLE);
#[map]
static TICK: PerCpuArray<Tick> = PerCpuArray::with_max_entries(1, 0);

/// When a CPU last asked for the coarse time, by the kernel's count of ticks, and what it was told.
struct Tick {
    tick: u64,
    time: u64,
}

/// The set that a flow lives in.
#[inline(always)]
pub(crate) fn set(flow: FlowId) -> Option<Set> {
    let words = FLOWS.get_ptr_mut(flow.set(rule!(flows_mask)) as u32)?;
    // SAFETY: an element is eight words.
    Some(unsafe { Set::at(words.cast()) })
}

/// The words of a record of the book of blocks.
#[inline(always)]
pub(crate) fn record(index: u64) -> Option<*mut u64> {
    BLOCKS.get_ptr_mut(index as u32).map(<*mut _>::cast)
}

/// Which limits count what goes to this port, by bit, and whether it is a listener's.
#[inline(always)]
pub(crate) fn port(port: Port) -> u64 {
    PORTS.get(u32::from(port.number())).copied().unwrap_or(0)
}

/// The quotas of a class.
#[inline(always)]
pub(crate) fn class(number: u32) -> Option<&'static Class> {
    CLASSES.get(number)
}

/// The present, to the nanosecond: for budgets.
#[inline(always)]
pub(crate) fn clock() -> Moment {
    // SAFETY: this helper has no conditions.
    moment(|| unsafe { bpf_ktime_get_ns() })
}

/// The present as of the last timer tick or the one before, some milliseconds ago at most: for blocks and
/// the lease, which are never shorter.
///
/// The kernel's coarse clock is asked once a tick: counting ticks is a load, asking is two calls.
///
/// # Minimum kernel version
/// 5.11.
#[inline(always)]
pub(crate) fn coarse_clock() -> Moment {
    moment(|| {
        // SAFETY: this helper has no conditions.
        let tick = unsafe { bpf_jiffies64() };
        let Some(last) = TICK.get_ptr_mut(0) else {
            return 0;
        };
        // SAFETY: the value is this CPU's alone. The time is written before the tick that vouches for it.
        unsafe {
            if ptr::read_volatile(&raw const (*last).tick) != tick {
                ptr::write_volatile(&raw mut (*last).time, bpf_ktime_get_coarse_ns());
                ptr::write_volatile(&raw mut (*last).tick, tick);
            }
            ptr::read_volatile(&raw const (*last).time)
        }
    })
}

/// The present or a little later, never earlier: for budgets that can do with less than a tick's worth.
#[inline(always)]
pub(crate) fn soon() -> Moment {
    let last = coarse_clock();
    Moment {
        now: Nanos(last.now.0 + u64::from(rule!(lag))),
        ..last
    }
}

#[inline(always)]
fn moment(clock: impl Fn() -> u64) -> Moment {
    let control = CONTROL.get_ptr(0);
    let read = |field: fn(*const Control) -> *const u64| {
        // SAFETY: the field of a map value is there and aligned; the process may change it at any time.
        control.map_or(0, |control| unsafe { ptr::read_volatile(field(control)) })
    };
    let now = if rules::on(INJECTED_CLOCK) {
        // SAFETY: takes the field's address only.
        read(|control| unsafe { &raw const (*control).clock })
    } else {
        clock()
    };
    // SAFETY: takes the field's address only.
    let lease_until = read(|control| unsafe { &raw const (*control).lease_until });
    Moment {
        now: Nanos(now),
        leased: now <= lease_until,
    }
}

/// A point in time.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Nanos,
    /// The process is there, or has not been gone for longer than it may be.
    pub(crate) leased: bool,
}

/// This CPU's count of what became of the packets of an interface. Nobody else writes it, and an XDP program
/// is not preempted by another.
#[inline(always)]
pub(crate) fn count(ifindex: u32, reason: Reason, dropped: u64) {
    if let Some(row) = INTERFACES.get_ptr_mut(row(ifindex)) {
        // SAFETY: a reason's number is below the size of the arrays.
        unsafe {
            *(&raw mut (*row).packets).cast::<u64>().add(reason as usize) += 1;
            if reason.drops() {
                *(&raw mut (*row).bytes).cast::<u64>().add(reason as usize) += dropped;
            }
        }
    }
}

/// Where the packets of an interface are counted.
#[inline(always)]
fn row(ifindex: u32) -> u32 {
    let index = ifindex as usize;
    let Some(rows) = ROWS.get_ptr(0) else {
        return 0;
    };
    if index >= ROW_INDICES {
        return 0;
    }
    // SAFETY: the byte is within the value; the loader may change it at any time.
    u32::from(unsafe { ptr::read_volatile(rows.cast::<u8>().add(index)) })
}

/// This CPU's other counters.
#[derive(Clone, Copy)]
pub(crate) struct Count(*mut Counters);

#[inline(always)]
pub(crate) fn counters() -> Option<Count> {
    COUNTERS.get_ptr_mut(0).map(Count)
}

impl Count {
    #[inline(always)]
    pub(crate) fn displaced(self) {
        // SAFETY: the field of a map value is there and aligned.
        unsafe { (*self.0).displaced += 1 }
    }

    #[inline(always)]
    pub(crate) fn contended(self) {
        // SAFETY: as above.
        unsafe { (*self.0).contended += 1 }
    }

    #[inline(always)]
    pub(crate) fn reset(self) {
        // SAFETY: as above.
        unsafe { (*self.0).resets += 1 }
    }

    #[inline(always)]
    pub(crate) fn sample_lost(self) {
        // SAFETY: as above.
        unsafe { (*self.0).samples_lost += 1 }
    }

    /// Adds to what a limit admitted; a limit that takes an admission back adds minus one.
    #[inline(always)]
    pub(crate) fn admitted(self, slot: u32, packets: i64) {
        // SAFETY: `limit` stays within the array.
        unsafe {
            (*self.limit(slot)).admitted = (*self.limit(slot)).admitted.wrapping_add_signed(packets)
        }
    }

    #[inline(always)]
    pub(crate) fn dropped(self, slot: u32) {
        // SAFETY: as above.
        unsafe { (*self.limit(slot)).dropped += 1 }
    }

    #[inline(always)]
    pub(crate) fn shadowed(self, slot: u32) {
        // SAFETY: as above.
        unsafe { (*self.limit(slot)).shadowed += 1 }
    }

    #[inline(always)]
    pub(crate) fn cookie(self, slot: u32) {
        // SAFETY: as above.
        unsafe { (*self.limit(slot)).cookies += 1 }
    }

    #[inline(always)]
    fn limit(self, slot: u32) -> *mut LimitCount {
        // SAFETY: the remainder is below the size of the array.
        unsafe {
            (&raw mut (*self.0).limits)
                .cast::<LimitCount>()
                .add(slot as usize % SLOTS)
        }
    }
}
