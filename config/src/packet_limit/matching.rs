//! `prefilter.limits.NAME.match`: which packets a limit counts.

use super::{IcmpType, Protocol, icmp, protocol};
use crate::read::{Cursor, Fields, counted, flag, unique_list};
use crate::section::{Key, ONE, Section, Shape};
use crate::yaml::ScalarKind;

/// Which packets a limit counts; all when nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketMatch {
    pub protocol: Option<Protocol>,
    /// Destination ports; any when empty.
    pub ports: Vec<PortRange>,
    /// Only TCP packets that open a connection: SYN without ACK.
    pub syn: bool,
    /// Only packets that open a connection: TCP's SYN without ACK, and SCTP's INIT.
    pub new: bool,
    /// Only ICMP messages of these types; any when empty.
    pub icmp: Vec<IcmpType>,
}

/// Destination ports from `first` to `last`, both included, neither 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

pub(super) static SECTION: Section = Section {
    name: "prefilter.limits.NAME.match",
    keys: &[
        Key::new("protocol", protocol::SHAPE, "any by default"),
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
        Key::new(
            "new",
            Shape::Flag,
            "only packets that open a TCP or SCTP connection; default false",
        ),
        Key::new(
            "icmp",
            Shape::List(&icmp::SHAPE, ONE),
            "ICMP message types; any by default",
        ),
    ],
    one_of: &[],
};

const PORTS: Shape = Shape::Either(&[
    Shape::Whole {
        min: 1,
        max: 65_535,
    },
    Shape::Text("[0-9]{1,5}-[0-9]{1,5}"),
]);

impl PacketMatch {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let protocol = fields.optional("protocol", Protocol::read);
        let ports = fields.or("ports", ports, Vec::new());
        let syn = fields.or("syn", flag, false);
        let new = fields.or("new", flag, false);
        let icmp = fields.or("icmp", types, Vec::new());
        let matches = Self {
            protocol: protocol?,
            ports: ports?,
            syn: syn?,
            new: new?,
            icmp: icmp?,
        };
        match matches.contradiction() {
            Some((key, found, allowed)) => fields.refuse(key, found, allowed),
            None => Some(matches),
        }
    }

    /// What no packet can be at once: the key, what is wrong with it, and what would be right.
    fn contradiction(&self) -> Option<(&'static str, String, &'static str)> {
        let protocol = |fits: fn(Protocol) -> bool| self.protocol.filter(|named| !fits(*named));
        if !self.icmp.is_empty() {
            if let Some(other) = protocol(Protocol::is_icmp) {
                return Some((
                    "icmp",
                    format!("ICMP types on {other}"),
                    "only with `protocol: icmp`",
                ));
            }
            if !self.ports.is_empty() || self.syn || self.new {
                return Some((
                    "icmp",
                    "ICMP types beside ports, syn or new, which ICMP has not".into(),
                    "one of them",
                ));
            }
        }
        if !self.ports.is_empty()
            && let Some(other) = protocol(Protocol::has_ports)
        {
            return Some((
                "ports",
                format!("ports of {other}, which has none"),
                "only with tcp, udp or sctp",
            ));
        }
        if self.syn && self.new {
            return Some((
                "new",
                "it beside `syn`, which it includes".into(),
                "one of them",
            ));
        }
        if self.syn && protocol(|named| named == Protocol::Tcp).is_some() {
            return Some((
                "syn",
                "it on a protocol without SYN".into(),
                "only with tcp",
            ));
        }
        if self.new && protocol(opens_connections).is_some() {
            return Some((
                "new",
                "it on a protocol without connections".into(),
                "only with tcp or sctp",
            ));
        }
        None
    }
}

fn opens_connections(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Tcp | Protocol::Sctp)
}

fn ports(list: Cursor<'_>) -> Option<Vec<PortRange>> {
    counted(
        list,
        unique_list(list, "ports", PortRange::read)?,
        1,
        usize::MAX,
    )
}

fn types(list: Cursor<'_>) -> Option<Vec<IcmpType>> {
    counted(
        list,
        unique_list(list, "type", IcmpType::read)?,
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
