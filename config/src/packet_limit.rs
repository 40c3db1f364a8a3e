//! `prefilter.limits.NAME`: budgets for packets.

mod exception;
mod icmp;
mod matching;
mod protocol;

pub use exception::PacketException;
pub use icmp::IcmpType;
pub use matching::{PacketMatch, PortRange};
pub use protocol::Protocol;

use crate::Rate;
use crate::read::{self, Cursor, Fields, choice, flag, unique_list, whole_u8};
use crate::section::{COUNT, Key, ONE, RATE, SIZE, Section, Shape};
use crate::units::BYTE_RATE_PATTERN;

/// A budget for packets.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketLimit {
    pub name: String,
    pub matches: PacketMatch,
    pub key: PacketKey,
    /// How many leading bits of an IPv4 source count, 1 to 32; `clients.ipv4_prefix` when nothing is said.
    pub ipv4_prefix: Option<u8>,
    /// The same for IPv6, 1 to 128.
    pub ipv6_prefix: Option<u8>,
    /// In units of `per`.
    pub rate: Rate,
    pub per: Per,
    pub over: Over,
    /// Counts and reports, but never drops.
    pub shadow: bool,
    /// Sources with a budget of their own. Of several networks the longest prefix counts.
    pub exceptions: Vec<PacketException>,
}

/// What a packet limit counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketKey {
    /// One budget for all packets.
    None,
    /// A budget for each source address, cut to the limit's prefix or that of `clients`.
    Source,
    /// A budget for each destination port.
    Port,
    SourcePort,
}

/// What one unit of a packet limit's rate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Packets,
    /// Bytes of whole frames.
    Bytes,
}

/// What becomes of a packet above a limit's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Drop,
    /// A SYN to a listener's port is answered with a SYN cookie, everything else is dropped.
    Cookie,
}

pub(crate) static SECTION: Section = Section {
    name: "prefilter.limits.NAME",
    keys: &[
        Key::new(
            "match",
            Shape::Section(&matching::SECTION),
            "which packets; all by default",
        ),
        Key::required("key", KEY, ALLOWED_KEYS),
        Key::new(
            "ipv4_prefix",
            Shape::Whole { min: 1, max: 32 },
            "bits that make one IPv4 source; default clients.ipv4_prefix",
        ),
        Key::new(
            "ipv6_prefix",
            Shape::Whole { min: 1, max: 128 },
            "bits that make one IPv6 source; default clients.ipv6_prefix",
        ),
        Key::required(
            "rate",
            PACKET_RATE,
            "N/s, N/m, N/h, N/d or N/DURATION; with `per: bytes` also SIZE/s",
        ),
        Key::new(
            "burst",
            Shape::Either(&[COUNT, SIZE]),
            "how much at once; default one second's worth, at least 1, or 64KiB",
        ),
        Key::new(
            "per",
            Shape::Choice(UNITS),
            "what is counted; default packets",
        ),
        Key::new(
            "over",
            Shape::Choice(OVER),
            "what becomes of what is above the rate; cookie with `match: { syn: true }`; default drop",
        ),
        Key::new(
            "shadow",
            Shape::Flag,
            "counts but never drops; default false",
        ),
        Key::new(
            "exceptions",
            Shape::Pairs(&exception::SHAPE),
            "CIDR to a rate or unlimited",
        ),
    ],
    one_of: &[],
};

/// A rate in packets or in bytes.
const PACKET_RATE: Shape = Shape::Either(&[RATE, Shape::Text(BYTE_RATE_PATTERN)]);
const OVER: &[&str] = &["drop", "cookie"];
const UNITS: &[&str] = &["packets", "bytes"];
const ALLOWED_KEYS: &str = "none, source, port or [source, port]";
const KEY: Shape = Shape::Either(&[
    Shape::Choice(&["none", "source", "port"]),
    Shape::List(&Shape::Choice(&["source", "port"]), ONE),
]);

impl PacketLimit {
    pub(crate) fn read(name: &str, value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let name = read::name(name, value);
        let matches = fields.or("match", PacketMatch::read, PacketMatch::default());
        let key = fields.required("key", PacketKey::read);
        let ipv4_prefix = fields.optional("ipv4_prefix", whole_u8(1, 32));
        let ipv6_prefix = fields.optional("ipv6_prefix", whole_u8(1, 128));
        let units = choice(UNITS, &[Per::Packets, Per::Bytes]);
        let per = fields.or("per", units, Per::Packets);
        let rate = per.map(|per| per.rate(&fields));
        if per.is_none() {
            // Asked for, so that what is wrong with them is told too.
            Rate::read(&fields);
        }
        let over = fields.or(
            "over",
            choice(OVER, &[Over::Drop, Over::Cookie]),
            Over::Drop,
        );
        let shadow = fields.or("shadow", flag, false);
        let unit = per.unwrap_or(Per::Packets);
        let exceptions = fields.or(
            "exceptions",
            |map| exception::read_all(map, unit),
            Vec::new(),
        );
        let limit = Self {
            name: name?,
            matches: matches?,
            key: key?,
            ipv4_prefix: ipv4_prefix?,
            ipv6_prefix: ipv6_prefix?,
            rate: rate??,
            per: per?,
            over: over?,
            shadow: shadow?,
            exceptions: exceptions?,
        };
        limit.fits(&fields).then_some(limit)
    }

    /// Reports keys that mean nothing beside the others.
    fn fits(&self, fields: &Fields<'_>) -> bool {
        let protocol = self.matches.protocol;
        let portless = protocol.is_some_and(|protocol| !protocol.has_ports());
        if self.key.has_port() && (portless || !self.matches.icmp.is_empty()) {
            let found = match protocol {
                Some(protocol) => format!("ports as key of {protocol}, which has none"),
                None => "ports as key of ICMP, which has none".to_owned(),
            };
            return refuse(fields, "key", found, "none or source");
        }
        for prefix in ["ipv4_prefix", "ipv6_prefix"] {
            if fields.has(prefix) && !self.key.has_source() {
                let found = "it on a key without `source`";
                return refuse(fields, prefix, found.into(), "only when `key` has source");
            }
        }
        if self.over == Over::Cookie && !self.matches.syn {
            let found = "cookie on what may be no SYN";
            return refuse(
                fields,
                "over",
                found.into(),
                "only with `match: { syn: true }`",
            );
        }
        let Some(odd) = self.exceptions.iter().find(|odd| !self.counts(odd)) else {
            return true;
        };
        let (found, allowed) = if self.key.has_source() {
            (
                "which is smaller than what the limit counts as one source",
                "unlimited, or a network that is no smaller",
            )
        } else {
            (
                "but the key has no `source`",
                "unlimited, or a key with source",
            )
        };
        let found = format!("a rate for {}, {found}", odd.net);
        refuse(fields, "exceptions", found, allowed)
    }

    /// Whether an exception is about whole budgets: nobody's rate may stand on a budget that others share.
    fn counts(&self, exception: &PacketException) -> bool {
        let prefix = match exception.net {
            ipnet::IpNet::V4(_) => self.ipv4_prefix,
            ipnet::IpNet::V6(_) => self.ipv6_prefix,
        };
        let whole = prefix.is_none_or(|prefix| exception.net.prefix_len() <= prefix);
        exception.is_unlimited() || self.key.has_source() && whole
    }
}

fn refuse(fields: &Fields<'_>, key: &str, found: String, allowed: &str) -> bool {
    fields.refuse::<()>(key, found, allowed);
    false
}

impl Per {
    /// Reads the keys `rate` and `burst` in this unit.
    pub(super) fn rate(self, fields: &Fields<'_>) -> Option<Rate> {
        match self {
            Self::Packets => Rate::read(fields),
            Self::Bytes => Rate::read_bytes(fields),
        }
    }

    /// Reads a rate that stands alone.
    pub(super) fn rate_alone(self, value: Cursor<'_>) -> Option<Rate> {
        match self {
            Self::Packets => Rate::read_alone(value),
            Self::Bytes => Rate::read_bytes_alone(value),
        }
    }
}

impl PacketKey {
    /// Whether each source has a budget of its own.
    pub const fn has_source(self) -> bool {
        matches!(self, Self::Source | Self::SourcePort)
    }

    /// Whether each destination port has a budget of its own.
    pub const fn has_port(self) -> bool {
        matches!(self, Self::Port | Self::SourcePort)
    }

    fn read(value: Cursor<'_>) -> Option<Self> {
        const PARTS: &[&str] = &["source", "port"];
        if !value.is_list() {
            return match value.written() {
                Some("none") => Some(Self::None),
                Some("source") => Some(Self::Source),
                Some("port") => Some(Self::Port),
                _ => value.refuse(ALLOWED_KEYS),
            };
        }
        let parts = unique_list(value, "part", choice(PARTS, &[Self::Source, Self::Port]))?;
        match parts.as_slice() {
            [one] => Some(*one),
            [_, _] => Some(Self::SourcePort),
            _ => value.refuse_as("an empty list", ALLOWED_KEYS),
        }
    }
}
