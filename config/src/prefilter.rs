//! `prefilter`: what the kernel drops before the host's stack sees it.

use floodwall_limiter::Nanos;
use ipnet::IpNet;

use crate::Rate;

/// The packet filter on the host's interfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefilter {
    /// At least one, each once.
    pub interfaces: Vec<String>,
    pub mode: XdpMode,
    /// Floodwall does not start when the filter cannot be attached.
    pub required: bool,
    /// Sources that always pass; looked up before `deny`.
    pub allow: Vec<IpNet>,
    pub deny: Vec<IpNet>,
    /// At most [`Prefilter::MAX_LIMITS`]; all that match a packet must admit it.
    pub limits: Vec<PacketLimit>,
    pub malformed: Malformed,
    /// How many sources the flow table can track, 1024 to 2^30, 16 bytes each. The file's `table.sources`.
    pub table_sources: u64,
    /// How long the kernel filters on without a process.
    pub outlive: Nanos,
    /// What is pinned carries this name: `[a-z0-9_-]`, 1 to 32 of them.
    pub instance: String,
}

impl Prefilter {
    /// The number of packet limits that the program has room for.
    pub const MAX_LIMITS: usize = 16;
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver, or else in the stack.
    Auto,
    /// In the driver only.
    Native,
    /// In the stack, which every interface can.
    Generic,
    /// Not at all; blocks are enforced at accept.
    Off,
}

/// A budget for packets.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketLimit {
    pub name: String,
    pub matches: PacketMatch,
    pub key: PacketKey,
    /// In packets.
    pub rate: Rate,
}

/// Which packets a limit counts; all when nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketMatch {
    pub protocol: Option<Protocol>,
    /// Destination ports; any when empty.
    pub ports: Vec<PortRange>,
    /// Only TCP packets that open a connection: SYN without ACK.
    pub syn: bool,
}

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    /// ICMP of either IP version.
    Icmp,
}

/// Destination ports from `first` to `last`, both included, neither 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

/// What a packet limit counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKey {
    /// One budget for all packets.
    None,
    /// A budget for each source address; IPv6 sources count by `clients.ipv6_prefix`.
    Source,
    /// A budget for each destination port.
    Port,
    SourcePort,
}

/// What a packet gets that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Drop,
    Pass,
}
