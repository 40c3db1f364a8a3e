//! The rules of one generation, as the program reads them: frozen read-only data, so that the verifier
//! knows every value and drops what the configuration does not use.

use floodwall_limiter::{KeyHash, Prefixes, Quota, Secret};

use crate::{maps::LIMITS, packet::Icmp};

/// Everything the program knows at load time.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Rules {
    /// The flow table's secret.
    pub secret: Secret,
    /// Number of sets of the flow table, less one.
    pub flows_mask: u64,
    pub generation: u64,
    /// The hash of [`KEY_NONE`], which is the same for every packet.
    pub none: KeyHash,
    /// What is on below: [`DROP_MALFORMED`] and so on.
    pub flags: u32,
    /// How many of `limits` there are.
    pub count: u32,
    /// How many dropped packets are sampled; only with [`SAMPLES`].
    pub sample: Quota,
    /// How many packets of blocked sources are answered; only with [`RESETS`].
    pub reset: Quota,
    /// Limits, by bit, that take only packets which open a connection.
    pub opening: u32,
    /// Limits, by bit, that take packets without a port, such as ICMP and later fragments.
    pub portless: u32,
    /// Limits, by bit, that name ICMP types, and so take even what is essential.
    pub typed: u32,
    /// Limits, by bit, that count what they would drop, and drop nothing.
    pub shadow: u32,
    /// Limits, by bit, that ask the exact clock; the others go by the last tick.
    pub exact: u32,
    /// How far the last tick may be behind the present, in nanoseconds.
    pub lag: u32,
    pub limits: [Limit; LIMITS],
    /// Limits, by bit, that take packets of the protocol with this number.
    pub by_protocol: [u16; 256],
    /// Limits, by bit, that take packets of each [`Icmp::row`].
    pub by_icmp: [u16; Icmp::ROWS],
    /// How many leading bits of an IPv4 and of an IPv6 address make a source.
    pub prefixes: Prefixes,
    /// Limits, by bit, above whose rate a SYN is answered with a cookie; only with [`COOKIES`].
    pub cookies: u16,
}

const _: () =
    assert!(size_of::<Rules>() == 104 + LIMITS * size_of::<Limit>() + (256 + Icmp::ROWS) * 2 + 4);

/// One packet limit.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Limit {
    /// [`floodwall_limiter::LimitId`], as bits.
    pub id: u64,
    /// What one unit costs and how deep the debt may become.
    pub quota: Quota,
    /// Its place in [`crate::maps::Counters::limits`].
    pub slot: u32,
    /// What it counts by: one of the keys below.
    pub key: u8,
    /// What a packet costs: [`COST_PACKETS`] or [`COST_BYTES`].
    pub cost: u8,
    /// How many leading bits make a source of its own keys.
    pub prefixes: Prefixes,
}

const _: () = assert!(size_of::<Limit>() == 32);

/// Packets that cannot be parsed are dropped.
pub const DROP_MALFORMED: u32 = 1;
/// There are IPv4 prefixes on the lists.
pub const LISTED_V4: u32 = 1 << 1;
/// There are IPv6 prefixes on the lists.
pub const LISTED_V6: u32 = 1 << 2;
/// A limit names ports, so that the port table must be asked which limits take a packet.
pub const BY_PORT: u32 = 1 << 3;
/// A limit counts by [`KEY_PORT`].
pub const COUNTS_PORTS: u32 = 1 << 4;
/// A limit counts by [`KEY_SOURCE_PORT`].
pub const COUNTS_SOURCE_PORTS: u32 = 1 << 5;
/// The present is read from [`crate::maps::Control::clock`], for tests that replay time.
pub const INJECTED_CLOCK: u32 = 1 << 6;
/// A limit names ICMP types.
pub const BY_ICMP: u32 = 1 << 7;
/// A limit names the authentication header, which IPv6 puts before the transport.
pub const BY_AUTHENTICATION: u32 = 1 << 8;
/// A limit counts bytes.
pub const COUNTS_BYTES: u32 = 1 << 9;
/// A limit has exceptions, so that a source has a class.
pub const CLASSES: u32 = 1 << 10;
/// Some of the dropped packets are sampled.
pub const SAMPLES: u32 = 1 << 11;
/// Some of the packets of blocked sources are answered with a reset.
pub const RESETS: u32 = 1 << 12;
/// A limit answers SYNs above its rate with cookies.
pub const COOKIES: u32 = 1 << 13;
/// Bogus TCP flags are looked for and dropped.
pub const CHECK_TCP_FLAGS: u32 = 1 << 16;
/// Packets that claim to come from where they go are dropped.
pub const CHECK_LAND: u32 = 1 << 17;
/// Impossible addresses are looked for, and packets with one dropped.
pub const CHECK_MARTIANS: u32 = 1 << 18;
/// Lengths are compared, and packets whose lengths contradict each other dropped.
pub const CHECK_LENGTHS: u32 = 1 << 19;
/// Fragments are dropped.
pub const CHECK_FRAGMENTS: u32 = 1 << 20;
/// All of the checks.
pub const CHECKS: u32 =
    CHECK_TCP_FLAGS | CHECK_LAND | CHECK_MARTIANS | CHECK_LENGTHS | CHECK_FRAGMENTS;

/// A limit of bytes counts in units of two to this many.
pub const UNIT_SHIFT: u32 = 10;

/// One budget for all packets.
pub const KEY_NONE: u8 = 0;
/// A budget for each source.
pub const KEY_SOURCE: u8 = 1;
/// A budget for each destination port.
pub const KEY_PORT: u8 = 2;
/// A budget for each source and destination port.
pub const KEY_SOURCE_PORT: u8 = 3;
/// A budget for each source by the limit's own prefixes.
pub const KEY_OWN_SOURCE: u8 = 4;
/// A budget for each source by the limit's own prefixes, and destination port.
pub const KEY_OWN_SOURCE_PORT: u8 = 5;

/// A packet costs one unit.
pub const COST_PACKETS: u8 = 0;
/// A packet costs a unit for each 1024 bytes, in proportion.
pub const COST_BYTES: u8 = 1;

impl Limit {
    /// Fills the places that no limit has.
    pub const NONE: Self = Self {
        id: 0,
        quota: Quota::CLOSED,
        slot: 0,
        key: KEY_NONE,
        cost: COST_PACKETS,
        prefixes: Prefixes { v4: 32, v6: 64 },
    };
}

impl Rules {
    /// Rules that let everything pass: what the object holds before the loader overrides it.
    pub const EMPTY: Self = Self {
        secret: Secret { k0: 0, k1: 0 },
        flows_mask: 0,
        generation: 0,
        none: KeyHash::from_bits(0),
        flags: 0,
        count: 0,
        sample: Quota::CLOSED,
        reset: Quota::CLOSED,
        opening: 0,
        portless: 0,
        typed: 0,
        shadow: 0,
        exact: 0,
        lag: 0,
        limits: [Limit::NONE; LIMITS],
        by_protocol: [0; 256],
        by_icmp: [0; Icmp::ROWS],
        prefixes: Prefixes { v4: 32, v6: 64 },
        cookies: 0,
    };
}
