//! A budget for packets: which of them it counts, by what, and how much each costs.

use std::ops::RangeInclusive;

use floodwall_limiter::{Nanos, Prefixes, Quota};
use ipnet::IpNet;

/// A budget for packets.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketLimit {
    /// The limit keeps its state and its counters for as long as it keeps its name.
    pub name: String,
    pub matches: PacketMatch,
    pub key: PacketKey,
    /// How many leading bits of an address make a source of this limit; [`crate::Rules::prefixes`] when `None`.
    pub prefixes: Option<Prefixes>,
    /// In units of `cost`.
    pub quota: Quota,
    pub cost: Cost,
    /// What becomes of a packet above the quota.
    pub over: Over,
    /// It counts what it would drop, and drops nothing.
    pub shadow: bool,
    /// Other quotas for what comes from these networks; `None` is unlimited. The longest prefix counts.
    pub exceptions: Vec<(IpNet, Option<Quota>)>,
}

impl PacketLimit {
    /// A limit of every packet, in packets.
    pub fn new(name: impl Into<String>, key: PacketKey, quota: Quota) -> Self {
        Self {
            name: name.into(),
            matches: PacketMatch::default(),
            key,
            prefixes: None,
            quota,
            cost: Cost::Packets,
            over: Over::Drop,
            shadow: false,
            exceptions: Vec::new(),
        }
    }
}

/// What becomes of a packet that a limit refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Drop,
    /// A SYN to a listener's port is answered with a SYN cookie, without the stack; everything else is dropped.
    /// The listener's socket gives cookies when `net.ipv4.tcp_syncookies` is 2 in its network namespace, or 1
    /// while its queue is full.
    ///
    /// # Minimum kernel version
    /// 5.3, with `CONFIG_SYN_COOKIES`.
    Cookie,
}

/// What must hold of a packet that a limit counts. Every packet matches the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PacketMatch {
    /// Every protocol when `None`.
    pub protocol: Option<Protocol>,
    /// Destination ports; every packet matches when there are none, even one without a port.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Only packets that open a connection.
    pub opens: Option<Opens>,
    /// Only ICMP messages of these types; of every type when there are none.
    pub icmp: Vec<IcmpType>,
}

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
    /// ICMP of either IP version.
    Icmp,
    Igmp,
    Gre,
    Esp,
    Ah,
    /// By the number that IANA assigned.
    Number(u8),
}

/// How a packet opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// TCP: SYN without ACK.
    Tcp,
    /// TCP as above, or SCTP's INIT.
    Any,
}

/// A type of ICMP messages, which means one thing over IPv4 and another over IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpType {
    V4(u8),
    V6(u8),
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

/// What a packet costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// One unit of the quota.
    Packets,
    /// One unit of the quota for each 1024 bytes of its frame, in proportion: see [`Cost::bytes`].
    Bytes,
}

impl Cost {
    /// The quota for [`Cost::Bytes`] that allows `count` bytes every `per`, and `burst` of them at once.
    ///
    /// Its unit is 1024 bytes, for a byte of a fast link takes less than the nanosecond that time is counted in.
    /// The burst is rounded up to whole units.
    pub const fn bytes(count: u64, per: Nanos, burst: u64) -> Quota {
        let per = Nanos(
            per.0
                .saturating_mul(1 << floodwall_xdp_abi::rules::UNIT_SHIFT),
        );
        Quota::new(
            count,
            per,
            burst.div_ceil(1 << floodwall_xdp_abi::rules::UNIT_SHIFT),
        )
    }
}
