//! The packet parser: from an Ethernet frame to the few facts that rules are about.
//!
//! Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with a bounded chain of extension headers,
//! then TCP, UDP, ICMP or anything else. Nothing is read beyond the transport's ports and flags.

mod ipv4;
mod ipv6;
mod transport;

#[cfg(test)]
mod tests;

use crate::bytes::{Bytes, Window};

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
    pub protocol: Protocol,
    /// The destination port; there is none in every fragment but the first.
    pub port: Port,
    /// A TCP packet that opens a connection: SYN without ACK.
    pub opens: bool,
}

/// An address in host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    V4(u32),
    V6 { high: u64, low: u64 },
}

/// The transport, as far as rules tell transports apart. The number is an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Protocol {
    Tcp = 0,
    Udp = 1,
    /// The ICMP of its IP version.
    Icmp = 2,
    Other = 3,
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

/// The frame ends too early, contradicts itself, or has more headers than are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A transport header at a known place.
#[derive(Clone, Copy)]
struct Transport {
    protocol: Protocol,
    port: Port,
    opens: bool,
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
/// [`Malformed`] when a header is truncated or contradicts itself, when there are more than two VLAN tags
/// or more than six extension headers.
#[inline(always)]
pub fn parse<B: Bytes + ?Sized>(bytes: &B) -> Result<Frame, Malformed> {
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
        IPV4 => ipv4::parse(bytes, at),
        IPV6 => ipv6::parse(bytes, at),
        _ if is_tag(kind) => Err(Malformed),
        _ => Ok(Frame::NotIp),
    }
}

#[inline(always)]
fn is_tag(kind: u16) -> bool {
    kind == VLAN || kind == SERVICE_VLAN
}
