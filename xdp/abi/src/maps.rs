//! The maps: their names, their sizes, and the layout of what is in them.

use floodwall_limiter::Quota;

use crate::reason::REASONS;

/// The version of everything below. It is part of the pin folder's name, so that a program never meets a
/// map that was laid out for another one.
pub const LAYOUT: u32 = 4;

/// The program's name in the object.
pub const PROGRAM: &str = "floodwall";

/// Array of sets of cells; pinned, mapped by the process, shared by all generations.
pub const FLOWS: &str = "FLOWS";
/// Array of [`floodwall_limiter::block`] records; pinned, mapped.
pub const BLOCKS: &str = "BLOCKS";
/// Array with one [`Control`]; pinned, mapped.
pub const CONTROL: &str = "CONTROL";
/// Per-CPU array with one [`Counters`]; pinned.
pub const COUNTERS: &str = "COUNTERS";
/// Per-CPU array with one [`Reasons`] for each row of interfaces, of which there are [`INTERFACE_ROWS`], and one for
/// [`GONE_ROW`]; pinned.
pub const INTERFACES: &str = "INTERFACES";
/// Array with one value of [`ROW_INDICES`] bytes: the row of each interface, by its number; pinned, mapped.
pub const ROWS: &str = "ROWS";
/// Ring buffer of [`Sample`]; pinned.
pub const SAMPLES: &str = "SAMPLES";
/// Array of [`Class`], by number; one for each generation. Class zero is what is on no limit's exceptions.
pub const CLASSES: &str = "CLASSES";
/// Array of a `u64` for each destination port: bit `i` is set when limit `i` counts what goes there.
/// [`LISTENER`] is set for a listener's port. One for each generation, mapped while it is filled.
pub const PORTS: &str = "PORTS";
/// Array of buckets of IPv4 prefixes; one for each generation, mapped while it is filled.
pub const LIST_V4: &str = "LIST_V4";
/// Array of buckets of IPv6 prefixes; one for each generation, mapped while it is filled.
pub const LIST_V6: &str = "LIST_V6";
/// Read-only data: one [`crate::list::Lists`], which says how the buckets are found.
pub const LISTS: &str = "LISTS";
/// The program's read-only data: one [`crate::Rules`], frozen before the program is loaded.
pub const RULES: &str = "RULES";

/// Bytes of one element of [`FLOWS`]: a set of four cells.
pub const SET_BYTES: usize = 64;
/// Elements of [`BLOCKS`]; a power of two.
pub const BLOCK_RECORDS: u32 = 16_384;
/// Elements of [`PORTS`].
pub const PORT_COUNT: u32 = 65_536;
/// The bit of a [`PORTS`] element that marks a listener's port.
pub const LISTENER: u64 = 1 << 63;

/// Rows of [`INTERFACES`] that the program counts in. Row zero has all interfaces that were given none.
pub const INTERFACE_ROWS: u32 = 64;
/// The row of what was counted in rows that were given to other interfaces since. The program never counts there.
pub const GONE_ROW: u32 = INTERFACE_ROWS;
/// How many interfaces, by number, can have a row of their own: a network namespace counts them from one.
pub const ROW_INDICES: usize = 65_536;
/// Bytes of [`SAMPLES`]; a power of two and of pages.
pub const SAMPLES_BYTES: u32 = 1 << 18;
/// The number of a prefix's [`Class`] begins at this bit of its value on the lists.
pub const CLASS_SHIFT: u32 = 2;

/// How many limits one generation may have.
pub const LIMITS: usize = 16;
/// How many limits have counters. A reload may drop every limit and bring as many new ones, and those
/// that are gone keep their totals until their place is needed.
pub const SLOTS: usize = 64;

/// One page that the process writes and the program reads.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Control {
    /// The flow table's secret; zero in both words means that none was drawn yet.
    pub secret: [u64; 2],
    /// Until when the program may drop anything, in `CLOCK_MONOTONIC` nanoseconds.
    pub lease_until: u64,
    /// The generation of the rules that were switched to last.
    pub generation: u64,
    /// What a program that was loaded with [`crate::rules::INJECTED_CLOCK`] takes for the present.
    pub clock: u64,
    reserved: [u64; 3],
    /// Which limit, by its id, has which slot in [`Counters::limits`]; zero is nobody's.
    pub slots: [u64; SLOTS],
    /// What a slot had counted when it was given to its present limit, so that nobody inherits a total.
    pub bases: [LimitCount; SLOTS],
    /// Which interface, by its number, has which row of [`INTERFACES`]; zero is nobody's.
    pub interfaces: [u64; INTERFACE_ROWS as usize],
    rest: [u64; 120],
}

const _: () = assert!(size_of::<Control>() == 4096);

/// What one CPU has counted, over all interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// How often a key in debt lost its cell to a newcomer.
    pub displaced: u64,
    /// How often a packet was refused because its decision lost too many races.
    pub contended: u64,
    /// How many packets of blocked sources were answered with a reset.
    pub resets: u64,
    /// How many samples found no room.
    pub samples_lost: u64,
    pub limits: [LimitCount; SLOTS],
}

const _: () = assert!(size_of::<Counters>() == 32 + SLOTS * 32);

/// What one CPU has counted of the packets of one row of interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Reasons {
    /// Packets, by [`crate::Reason`].
    pub packets: [u64; REASONS],
    /// Bytes of what was dropped, by [`crate::Reason`].
    pub bytes: [u64; REASONS],
}

const _: () = assert!(size_of::<Reasons>() == REASONS * 16);

/// What became of the packets that one limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LimitCount {
    /// Packets that this limit and every other one admitted.
    pub admitted: u64,
    /// Packets that this limit refused.
    pub dropped: u64,
    /// Packets that this limit would have refused, were it not in shadow.
    pub shadowed: u64,
    /// Packets that this limit refused and that were answered with a SYN cookie; `dropped` has them too.
    pub cookies: u64,
}

/// The quotas of the sources in one place of the limits' exceptions.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Class {
    /// Limits, by bit, that do not count these sources.
    pub unlimited: u64,
    /// By limit.
    pub quotas: [Quota; LIMITS],
}

const _: () = assert!(size_of::<Class>() == 8 + LIMITS * 16);

/// One of the dropped packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Sample {
    /// `CLOCK_MONOTONIC` in nanoseconds, as of the last timer tick.
    pub time: u64,
    /// [`floodwall_limiter::Source::words`] of the whole address; zero when it could not be parsed.
    pub source: [u64; 2],
    /// The id of the limit that refused it; zero for another reason.
    pub limit: u64,
    pub bytes: u32,
    pub ifindex: u32,
    /// [`crate::Port::bits`] of the destination port.
    pub port: u32,
    /// The number of the protocol above IP.
    pub protocol: u16,
    /// The number of its [`crate::Reason`].
    pub reason: u16,
}

const _: () = assert!(size_of::<Sample>() == 48);

impl Default for Counters {
    fn default() -> Self {
        Self {
            displaced: 0,
            contended: 0,
            resets: 0,
            samples_lost: 0,
            limits: [LimitCount::default(); SLOTS],
        }
    }
}

impl Default for Reasons {
    fn default() -> Self {
        Self {
            packets: [0; REASONS],
            bytes: [0; REASONS],
        }
    }
}
