//! The maps: their names, their sizes, and the layout of what is in them.

use crate::reason::REASONS;

/// The version of everything below. It is part of the pin folder's name, so that a program never meets a
/// map that was laid out for another one.
pub const LAYOUT: u32 = 1;

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
    rest: [u64; 312],
}

const _: () = assert!(size_of::<Control>() == 4096);

/// What one CPU has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Packets, by [`crate::Reason`].
    pub reasons: [u64; REASONS],
    /// How often a key in debt lost its cell to a newcomer.
    pub displaced: u64,
    /// How often a packet was refused because its decision lost too many races.
    pub contended: u64,
    pub limits: [LimitCount; SLOTS],
}

const _: () = assert!(size_of::<Counters>() == (REASONS + 2) * 8 + SLOTS * 16);

/// What became of the packets that one limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LimitCount {
    /// Packets that this limit and every other one admitted.
    pub admitted: u64,
    /// Packets that this limit refused.
    pub dropped: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            reasons: [0; REASONS],
            displaced: 0,
            contended: 0,
            limits: [LimitCount::default(); SLOTS],
        }
    }
}
