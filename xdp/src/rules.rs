//! What the program is to do: one generation's rules, as the configuration means them.

use std::ops::RangeInclusive;

use floodwall_limiter::{Prefixes, Quota};
use ipnet::IpNet;

/// The rules of one generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub generation: u64,
    /// How many leading bits of an address make a source.
    pub prefixes: Prefixes,
    /// A block with listeners' scope drops what goes to these ports, over TCP and UDP.
    pub listener_ports: Vec<u16>,
    /// Sources that always pass, whatever else is said of them.
    pub allow: Vec<IpNet>,
    /// Sources that are dropped unless they are allowed.
    pub deny: Vec<IpNet>,
    /// At most sixteen; every limit that matches a packet must admit it.
    pub limits: Vec<PacketLimit>,
    pub malformed: Malformed,
}

/// A budget for packets.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketLimit {
    /// The limit keeps its state and its counters for as long as it keeps its name.
    pub name: String,
    /// Every protocol when `None`.
    pub protocol: Option<Protocol>,
    /// Destination ports; every packet matches when there are none, even one without a port.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Only TCP packets that open a connection.
    pub syn: bool,
    pub key: PacketKey,
    /// In packets.
    pub quota: Quota,
}

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    /// ICMP of either IP version.
    Icmp,
}

/// What a packet limit counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKey {
    /// One budget for all packets.
    None,
    /// A budget for each source.
    Source,
    /// A budget for each destination port; packets without a port are not counted.
    Port,
    /// A budget for each source and destination port; packets without a port are not counted.
    SourcePort,
}

/// What a packet gets that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Drop,
    Pass,
}
