//! The packet parser: from an Ethernet frame to the few facts that rules are about.
//!
//! Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with a bounded chain of extension headers,
//! fragments of both, then TCP, UDP, SCTP, ICMP or anything else. Nothing is read beyond the transport's
//! fixed header, and all of that must be in the frame's first buffer.

mod ipv4;
mod ipv6;
mod transport;

#[cfg(test)]
mod tests;

use crate::{
    Reason,
    bytes::{Bytes, Window},
};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// No IP packet: ARP, LLDP, an 802.3 frame. Always passes.
    NotIp,
    /// IPv6 neighbour discovery from the link itself. Always passes.
    NeighbourDiscovery,
    Ip(Datagram),
}

/// What the rules look at in an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub source: Address,
    /// The transport's number; in a later fragment of IPv6 it may be an extension header's.
    pub protocol: u8,
    /// The destination port of TCP, UDP and SCTP; there is none in every fragment but the first.
    pub port: Port,
    pub icmp: Icmp,
    pub facts: Facts,
    /// The first of the checks asked for that speaks against it; [`Reason::Passed`] when none does.
    pub odd: Reason,
    /// Where the IP header begins.
    pub network: usize,
    /// Where the transport header begins.
    pub transport: usize,
    /// Where the IP packet ends, as it says itself.
    pub end: usize,
}

/// An address in host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    V4(u32),
    V6 { high: u64, low: u64 },
}

/// A destination port, or none.
///
/// No `Option`, whose payload is undefined when there is none: the compiler for BPF computes with that
/// before it looks, and the verifier refuses any use of a register that was never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Port(u32);

impl Port {
    pub const NONE: Self = Self(NO_PORT);

    #[inline(always)]
    pub const fn new(number: u16) -> Self {
        Self(number as u32)
    }

    #[inline(always)]
    pub const fn is_some(self) -> bool {
        self.0 & NO_PORT == 0
    }

    /// The port's number; zero when there is none.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half is the number"
    )]
    pub const fn number(self) -> u16 {
        self.0 as u16
    }

    /// Both as one number below 2^17.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

const NO_PORT: u32 = 1 << 16;

/// An ICMP message's type together with its IP version, as a row of [`crate::Rules::by_icmp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Icmp(u32);

impl Icmp {
    /// A later fragment of an ICMP message, whose type is in the first.
    pub const UNTYPED: Self = Self(512);
    /// No ICMP at all.
    pub const NONE: Self = Self(513);
    /// How many rows there are.
    pub const ROWS: usize = 514;

    #[inline(always)]
    pub const fn v4(number: u8) -> Self {
        Self(number as u32)
    }

    #[inline(always)]
    pub const fn v6(number: u8) -> Self {
        Self(256 + number as u32)
    }

    /// The row, below [`Icmp::ROWS`].
    #[inline(always)]
    pub const fn row(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub const fn from_row(row: u32) -> Self {
        Self(row)
    }
}

/// What else there is to say of a packet, as a set of bits: a branch for each would be many ways for the verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Facts(u32);

impl Facts {
    pub const NONE: Self = Self(0);
    /// It opens a connection: TCP's SYN without ACK, or SCTP's INIT.
    pub const OPENS: Self = Self(1);
    /// See [`Reason::Essential`].
    pub const ESSENTIAL: Self = Self(2);
    /// TCP that may be answered with a reset: all of a segment, and none itself.
    pub const RESETTABLE: Self = Self(4);
    /// IPv6 with an authentication header.
    pub const AUTHENTICATED: Self = Self(8);

    #[inline(always)]
    pub const fn has(self, fact: Self) -> bool {
        self.0 & fact.0 != 0
    }

    #[inline(always)]
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fact if it holds.
    #[inline(always)]
    const fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::NONE }
    }

    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// The frame ends too early, contradicts itself, or has more headers than are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Which checks are asked for; what is not is not looked at, and costs nothing.
pub trait Checks: Copy {
    /// Whether the check of one of the flags `CHECK_..` of [`crate::rules`] is on.
    fn on(self, check: u32) -> bool;
}

impl Checks for u32 {
    #[inline(always)]
    fn on(self, check: u32) -> bool {
        self & check != 0
    }
}

const ETHERNET: usize = 14;
const TAG: usize = 4;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Parses one frame.
///
/// # Errors
/// [`Malformed`] when a header is truncated or of another version than announced, when there are more than
/// two VLAN tags or more than six extension headers, and when a fragment hides the transport header from
/// whoever sees one fragment at a time (RFC 1858, RFC 3128, RFC 7112).
#[inline(always)]
pub fn parse<B: Bytes + ?Sized>(bytes: &B, checks: impl Checks) -> Result<Frame, Malformed> {
    let ethernet = bytes.window::<ETHERNET>(0).ok_or(Malformed)?;
    let mut kind = ethernet.u16(12);
    let mut at = ETHERNET;
    for _ in 0..2 {
        if !is_tag(kind) {
            break;
        }
        kind = bytes.window::<TAG>(at).ok_or(Malformed)?.u16(2);
        at += TAG;
    }
    match kind {
        IPV4 => ipv4::parse(bytes, at, checks),
        IPV6 => ipv6::parse(bytes, at, checks),
        _ if is_tag(kind) => Err(Malformed),
        _ => Ok(Frame::NotIp),
    }
}

#[inline(always)]
fn is_tag(kind: u16) -> bool {
    kind == VLAN || kind == SERVICE_VLAN
}

/// The reason if something of the kind is asked for and found; the search is not made otherwise.
#[inline(always)]
fn odd(checks: impl Checks, check: u32, reason: Reason, found: impl FnOnce() -> bool) -> Reason {
    if checks.on(check) && found() {
        reason
    } else {
        Reason::Passed
    }
}

/// The first of two that is odd.
#[inline(always)]
fn first(one: Reason, other: impl FnOnce() -> Reason) -> Reason {
    if matches!(one, Reason::Passed) {
        other()
    } else {
        one
    }
}
