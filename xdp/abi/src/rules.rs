//! The rules of one generation, as the program reads them: frozen read-only data, so that the verifier
//! knows every value and drops what the configuration does not use.

use floodwall_limiter::{KeyHash, Prefixes, Quota, Secret};

use crate::maps::LIMITS;

/// Everything the program knows at load time.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Rules {
    /// The flow table's secret.
    pub secret: Secret,
    /// Number of sets of the flow table, less one.
    pub flows_mask: u64,
    pub generation: u64,
    /// Limits, by bit, that take a packet of each [`crate::Protocol`].
    pub by_protocol: [u64; 4],
    /// Limits, by bit, that take only packets which open a TCP connection.
    pub opening: u64,
    /// Limits, by bit, that take packets without a port, such as ICMP and later fragments.
    pub portless: u64,
    /// What is on below: [`DROP_MALFORMED`] and so on.
    pub flags: u32,
    /// How many of `limits` there are.
    pub count: u32,
    /// How many leading bits of an IPv4 and of an IPv6 address make a source.
    pub prefixes: Prefixes,
    pub reserved: [u8; 6],
    /// The hash of [`KEY_NONE`], which is the same for every packet.
    pub none: KeyHash,
    pub limits: [Limit; LIMITS],
}

const _: () = assert!(size_of::<Rules>() == 104 + LIMITS * size_of::<Limit>());

/// One packet limit.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Limit {
    /// [`floodwall_limiter::LimitId`], as bits.
    pub id: u64,
    /// What one packet costs and how deep the debt may become.
    pub quota: Quota,
    /// Its place in [`crate::maps::Counters::limits`].
    pub slot: u32,
    /// What it counts by: one of the keys below.
    pub key: u32,
}

const _: () = assert!(size_of::<Limit>() == 32);

/// Packets that cannot be parsed are dropped.
pub const DROP_MALFORMED: u32 = 1;
/// There are IPv4 prefixes on the lists.
pub const LISTED_V4: u32 = 2;
/// There are IPv6 prefixes on the lists.
pub const LISTED_V6: u32 = 4;
/// A limit names ports, so that the port table must be asked which limits take a packet.
pub const BY_PORT: u32 = 8;
/// A limit counts by [`KEY_PORT`].
pub const COUNTS_PORTS: u32 = 16;
/// A limit counts by [`KEY_SOURCE_PORT`].
pub const COUNTS_SOURCE_PORTS: u32 = 32;
/// The present is read from [`crate::maps::Control::clock`], for tests that replay time.
pub const INJECTED_CLOCK: u32 = 64;

/// A limit of bytes counts in units of two to this many.
pub const UNIT_SHIFT: u32 = 10;

/// One budget for all packets.
pub const KEY_NONE: u32 = 0;
/// A budget for each source.
pub const KEY_SOURCE: u32 = 1;
/// A budget for each destination port.
pub const KEY_PORT: u32 = 2;
/// A budget for each source and destination port.
pub const KEY_SOURCE_PORT: u32 = 3;

impl Limit {
    /// Fills the places that no limit has.
    pub const NONE: Self = Self {
        id: 0,
        quota: Quota::CLOSED,
        slot: 0,
        key: KEY_NONE,
    };
}

impl Rules {
    /// Rules that let everything pass: what the object holds before the loader overrides it.
    pub const EMPTY: Self = Self {
        secret: Secret { k0: 0, k1: 0 },
        flows_mask: 0,
        generation: 0,
        by_protocol: [0; 4],
        opening: 0,
        portless: 0,
        flags: 0,
        count: 0,
        prefixes: Prefixes { v4: 32, v6: 64 },
        reserved: [0; 6],
        none: KeyHash::from_bits(0),
        limits: [Limit::NONE; LIMITS],
    };
}
