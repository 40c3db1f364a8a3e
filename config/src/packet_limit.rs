//! `prefilter.limits.NAME`: budgets for packets.

use crate::Rate;
use crate::rate::{BURST_KEY, RATE_KEY};
use crate::read::{self, Cursor, Fields, choice, counted, flag, unique_list};
use crate::section::{Key, ONE, Section, Shape};
use crate::yaml::ScalarKind;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

/// What a packet limit counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketKey {
    /// One budget for all packets.
    None,
    /// A budget for each source address; IPv6 sources count by `clients.ipv6_prefix`.
    Source,
    /// A budget for each destination port.
    Port,
    SourcePort,
}

pub(crate) static SECTION: Section = Section {
    name: "prefilter.limits.NAME",
    keys: &[
        Key::new(
            "match",
            Shape::Section(&MATCH),
            "which packets; all by default",
        ),
        Key::required("key", KEY, ALLOWED_KEYS),
        RATE_KEY,
        BURST_KEY,
    ],
    one_of: &[],
};

static MATCH: Section = Section {
    name: "prefilter.limits.NAME.match",
    keys: &[
        Key::new("protocol", Shape::Choice(PROTOCOLS), "any by default"),
        Key::new(
            "ports",
            Shape::List(&PORTS, ONE),
            "destination ports; any by default",
        ),
        Key::new(
            "syn",
            Shape::Flag,
            "only packets that open a TCP connection; default false",
        ),
    ],
    one_of: &[],
};

const PROTOCOLS: &[&str] = &["tcp", "udp", "icmp"];
const ALLOWED_KEYS: &str = "none, source, port or [source, port]";
const PORTS: Shape = Shape::Either(&[
    Shape::Whole {
        min: 1,
        max: 65_535,
    },
    Shape::Text("[0-9]{1,5}-[0-9]{1,5}"),
]);
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
        let rate = Rate::read(&fields);
        let (matches, key) = (matches?, key?);
        let by_port = matches!(key, PacketKey::Port | PacketKey::SourcePort);
        if by_port && matches.protocol == Some(Protocol::Icmp) {
            return fields.refuse(
                "key",
                "ports as key of ICMP, which has none",
                "none or source",
            );
        }
        Some(Self {
            name: name?,
            matches,
            key,
            rate: rate?,
        })
    }
}

impl PacketMatch {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &MATCH)?;
        let protocols = choice(PROTOCOLS, &[Protocol::Tcp, Protocol::Udp, Protocol::Icmp]);
        let protocol = fields.optional("protocol", protocols);
        let ports = fields.or("ports", ports, Vec::new());
        let syn = fields.or("syn", flag, false);
        let matches = Self {
            protocol: protocol?,
            ports: ports?,
            syn: syn?,
        };
        if matches.protocol == Some(Protocol::Icmp) && !matches.ports.is_empty() {
            return fields.refuse(
                "ports",
                "ports of ICMP, which has none",
                "only with tcp or udp",
            );
        }
        if matches.syn && matches!(matches.protocol, Some(Protocol::Udp | Protocol::Icmp)) {
            return fields.refuse("syn", "it on a protocol without SYN", "only with tcp");
        }
        Some(matches)
    }
}

fn ports(list: Cursor<'_>) -> Option<Vec<PortRange>> {
    counted(
        list,
        unique_list(list, "ports", PortRange::read)?,
        1,
        usize::MAX,
    )
}

impl PortRange {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let refuse =
            || value.refuse("a port from 1 to 65535, or two of them in order as in 8000-8099");
        let Some(written) = value.written() else {
            return refuse();
        };
        let bounds = match value.kind() {
            Some(ScalarKind::Integer(_)) => Some((written, written)),
            _ => written.split_once('-'),
        };
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
        match bounds.and_then(|(first, last)| Some((port(first)?, port(last)?))) {
            Some((first, last)) if first <= last => Some(Self { first, last }),
            _ => refuse(),
        }
    }
}

impl PacketKey {
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
