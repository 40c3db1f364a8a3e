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

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    Reason,
    bytes::{Bytes, Forget as _, Window},
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
    /// What the checks asked for have found against it.
    pub odd: Odd,
    /// Where the IP header begins.
    pub network: usize,
    /// Where the transport header begins.
    pub transport: usize,
    /// Where the IP packet ends, as it says itself.
    pub end: usize,
}

/// An address in host byte order.
///
/// No enum, of which one variant leaves undefined what another has: the compiler for BPF computes with that
/// before it looks, and the verifier refuses any use of a register that was never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    is_v4: bool,
    high: u64,
    low: u64,
}

impl Address {
    #[inline(always)]
    pub const fn v4(bits: u32) -> Self {
        Self {
            is_v4: true,
            high: 0,
            low: bits as u64,
        }
    }

    #[inline(always)]
    pub const fn v6(high: u64, low: u64) -> Self {
        Self {
            is_v4: false,
            high,
            low,
        }
    }

    /// The 32 bits of an IPv4 address.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "there are no more bits")]
    pub const fn as_v4(self) -> Option<u32> {
        if self.is_v4 {
            Some(self.low as u32)
        } else {
            None
        }
    }

    /// The upper and the lower half of an IPv6 address.
    #[inline(always)]
    pub const fn halves(self) -> [u64; 2] {
        [self.high, self.low]
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match (address.as_v4(), address.halves()) {
            (Some(bits), _) => Ipv4Addr::from_bits(bits).into(),
            (None, [high, low]) => {
                Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into()
            }
        }
    }
}

/// A destination port, or none.
///
/// No `Option`, for the reason that [`Address`] is no enum.
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
    /// It tells that a path takes smaller packets only; essential as well.
    pub const PATH_MTU: Self = Self(16);

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

    /// The same without its past: see [`Bytes::forget`].
    #[inline(always)]
    fn forgotten<B: Bytes + ?Sized>(self, bytes: &B) -> Self {
        Self(bytes.forget_u32(self.0))
    }
}

/// What is odd about a packet, as a set of bits, in the order of what is named first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Odd(u32);

impl Odd {
    pub const NOTHING: Self = Self(0);
    const MARTIAN: Self = Self(1);
    const LAND: Self = Self(2);
    const FRAGMENT: Self = Self(4);
    const LENGTH: Self = Self(8);
    const TCP_FLAGS: Self = Self(16);

    #[inline(always)]
    pub const fn is_any(self) -> bool {
        self.0 != 0
    }

    #[inline(always)]
    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The first of what was found; [`Reason::Passed`] when nothing was.
    #[inline(always)]
    pub const fn reason(self) -> Reason {
        if self.0 & Self::MARTIAN.0 != 0 {
            Reason::Martian
        } else if self.0 & Self::LAND.0 != 0 {
            Reason::Land
        } else if self.0 & Self::FRAGMENT.0 != 0 {
            Reason::Fragment
        } else if self.0 & Self::LENGTH.0 != 0 {
            Reason::BadLength
        } else if self.0 & Self::TCP_FLAGS.0 != 0 {
            Reason::TcpFlags
        } else {
            Reason::Passed
        }
    }

    /// The same without its past: see [`Bytes::forget`].
    #[inline(always)]
    fn forgotten<B: Bytes + ?Sized>(self, bytes: &B) -> Self {
        Self(bytes.forget_u32(self.0))
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
/// whoever sees one fragment at a time, or overlaps it (RFC 1858, RFC 3128, RFC 7112).
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
    // 14, 18 or 22: the mask is the bound that the verifier wants.
    let at = bytes.forget_size(at) & 31;
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

/// What is odd if something of the kind is asked for and found; the search is not made otherwise.
#[inline(always)]
fn odd(checks: impl Checks, check: u32, odd: Odd, found: impl FnOnce() -> bool) -> Odd {
    if checks.on(check) && found() {
        odd
    } else {
        Odd::NOTHING
    }
}
