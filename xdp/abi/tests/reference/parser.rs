//! A second reading of the same RFCs, in its own words and for clarity alone: it allocates, slices and
//! returns early wherever that says best what is meant. It shares no code with the parser.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use floodwall_xdp_abi::Reason;

/// What a frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Malformed,
    NotIp,
    NeighbourDiscovery,
    Ip(Facts),
}

/// What is to be known of an IP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and a set of bits is what the parser has"
)]
pub(crate) struct Facts {
    pub(crate) source: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) port: Option<u16>,
    pub(crate) icmp: Kind,
    pub(crate) opens: bool,
    pub(crate) essential: bool,
    pub(crate) path_mtu: bool,
    pub(crate) resettable: bool,
    pub(crate) authenticated: bool,
    /// All that speaks against it, in the order in which it is found.
    pub(crate) odd: Vec<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Untyped,
    V4(u8),
    V6(u8),
}

/// The IP layer, once it is read.
struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    protocol: u8,
    /// What the frame has from the transport header on, with padding.
    rest: &'a [u8],
    /// How many bytes the IP packet says it has from there on; `None` when it does not say.
    claimed: Option<isize>,
    fragment: Option<Fragment>,
    authenticated: bool,
    length_is_bad: bool,
}

#[derive(Clone, Copy)]
struct Fragment {
    /// In bytes.
    offset: usize,
}

fn be16(bytes: &[u8], at: usize) -> usize {
    usize::from(bytes[at]) * 256 + usize::from(bytes[at + 1])
}

pub(crate) fn read(frame: &[u8]) -> Read {
    let mut rest = frame;
    if rest.len() < 14 {
        return Read::Malformed;
    }
    let mut kind = be16(rest, 12);
    rest = &rest[14..];
    let mut tags = 0;
    while kind == 0x8100 || kind == 0x88a8 {
        tags += 1;
        if tags == 3 || rest.len() < 4 {
            return Read::Malformed;
        }
        kind = be16(rest, 2);
        rest = &rest[4..];
    }
    let ip = match kind {
        0x0800 => version4(rest),
        0x86dd => {
            if is_neighbour_discovery(rest) {
                return Read::NeighbourDiscovery;
            }
            version6(rest)
        }
        _ => return Read::NotIp,
    };
    match ip.and_then(|ip| transport(&ip)) {
        Some(facts) => Read::Ip(facts),
        None => Read::Malformed,
    }
}

fn version4(packet: &[u8]) -> Option<Ip<'_>> {
    if packet.len() < 20 || packet[0] / 16 != 4 {
        return None;
    }
    let header = usize::from(packet[0] % 16) * 4;
    let total = be16(packet, 2);
    let flags = be16(packet, 6);
    let (more, offset) = (flags & 0x2000 != 0, (flags & 0x1fff) * 8);
    if header < 20 || packet.len() < header {
        return None;
    }
    let mut length_is_bad = total < header || total > packet.len();
    if !length_is_bad && more && !(total - header).is_multiple_of(8) || offset + total > 65_535 {
        length_is_bad = true;
    }
    Some(Ip {
        source: Ipv4Addr::from(<[u8; 4]>::try_from(&packet[12..16]).ok()?).into(),
        destination: Ipv4Addr::from(<[u8; 4]>::try_from(&packet[16..20]).ok()?).into(),
        ttl: packet[8],
        protocol: packet[9],
        rest: &packet[header..],
        claimed: Some(signed(total) - signed(header)),
        fragment: (more || offset > 0).then_some(Fragment { offset }),
        authenticated: false,
        length_is_bad,
    })
}

fn is_neighbour_discovery(packet: &[u8]) -> bool {
    packet.len() >= 44
        && packet[0] / 16 == 6
        && packet[6] == 58
        && packet[7] == 255
        && (133..=137).contains(&packet[40])
}

fn version6(packet: &[u8]) -> Option<Ip<'_>> {
    if packet.len() < 40 || packet[0] / 16 != 6 {
        return None;
    }
    let payload = be16(packet, 4);
    let jumbo = payload == 0 && packet[6] == 0;
    let address = |at: usize| {
        let octets = <[u8; 16]>::try_from(&packet[at..at + 16]).unwrap();
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let mut ip = Ip {
        source: address(8),
        destination: address(24),
        ttl: packet[7],
        protocol: packet[6],
        rest: &packet[40..],
        claimed: (!jumbo).then(|| signed(payload)),
        fragment: None,
        authenticated: false,
        length_is_bad: !jumbo && packet.len() < 40 + payload,
    };
    let (mut headers, mut fragment_headers) = (0, 0);
    while [0, 43, 44, 51, 60].contains(&ip.protocol) {
        headers += 1;
        if headers > 6 || ip.rest.len() < 8 {
            return None;
        }
        let (kind, next, field) = (ip.protocol, ip.rest[0], usize::from(ip.rest[1]));
        let length = match kind {
            44 => 8,
            51 => (field + 2) * 4,
            _ => (field + 1) * 8,
        };
        let fragment = be16(ip.rest, 2);
        ip.authenticated |= kind == 51;
        ip.protocol = next;
        ip.claimed = ip.claimed.map(|claimed| claimed - signed(length));
        ip.rest = ip.rest.get(length..)?;
        if kind == 44 {
            fragment_headers += 1;
            let (offset, more) = (fragment & 0xfff8, fragment & 1 != 0);
            if fragment_headers == 2 {
                return None;
            }
            ip.fragment = (offset > 0 || more).then_some(Fragment { offset });
            if let Some(claimed) = ip.claimed.filter(|_| ip.fragment.is_some()) {
                let ends_badly = more && claimed % 8 != 0;
                let beyond = signed(offset) + claimed > 65_535;
                ip.length_is_bad |= claimed < 0 || ends_badly || beyond;
            }
            if offset > 0 {
                break;
            }
        }
    }
    Some(ip)
}

fn signed(length: usize) -> isize {
    isize::try_from(length).unwrap()
}

fn transport(ip: &Ip<'_>) -> Option<Facts> {
    let icmp = if ip.source.is_ipv4() { 1 } else { 58 };
    let mut facts = Facts {
        source: ip.source,
        protocol: ip.protocol,
        port: None,
        icmp: Kind::None,
        opens: false,
        essential: false,
        path_mtu: false,
        resettable: false,
        authenticated: ip.authenticated,
        odd: Vec::new(),
    };
    let later = ip.fragment.is_some_and(|fragment| fragment.offset > 0);
    if later {
        // Neither flags nor the kind of a chunk may be overwritten.
        let hidden = match ip.protocol {
            6 => 20,
            132 => 16,
            _ => 0,
        };
        if ip.fragment.is_some_and(|fragment| fragment.offset < hidden) {
            return None;
        }
        if ip.protocol == icmp {
            facts.icmp = Kind::Untyped;
        }
        facts.odd = network_oddities(ip, None);
        return Some(facts);
    }
    let needed = match ip.protocol {
        6 => 20,
        132 => 16,
        17 | 2 | 50 => 8,
        47 => 4,
        other if other == icmp => 4,
        _ => 0,
    };
    let header = ip.rest.get(..needed)?;
    let holds = |length: usize| ip.claimed.is_none_or(|claimed| claimed >= signed(length));
    if ip.fragment.is_some() && !holds(needed) {
        return None;
    }
    let mut bad_length = !holds(needed);
    let whole = ip.fragment.is_none();
    let mut udp_ports = None;
    let mut bad_flags = false;
    match ip.protocol {
        6 => {
            let (length, flags) = (usize::from(header[12] / 16) * 4, header[13]);
            let has = |flag: u8| flags & flag != 0;
            let (fin, syn, reset, ack) = (has(1), has(2), has(4), has(16));
            facts.port = u16::try_from(be16(header, 2)).ok();
            facts.opens = syn && !ack;
            facts.resettable = !reset && whole;
            bad_length |= length < 20 || whole && !holds(length);
            let opens_or_goes_on = syn || reset || ack;
            bad_flags = !opens_or_goes_on || syn && (fin || reset) || fin && !ack;
        }
        17 => {
            let length = be16(header, 4);
            facts.port = u16::try_from(be16(header, 2)).ok();
            udp_ports = Some((be16(header, 0), be16(header, 2)));
            let jumbo = ip.claimed.is_none() && length == 0;
            bad_length |= length < 8 && !jumbo || whole && !holds(length);
        }
        132 => {
            facts.port = u16::try_from(be16(header, 2)).ok();
            facts.opens = header[12] == 1;
        }
        other if other == icmp => {
            facts.icmp = if icmp == 1 {
                Kind::V4(header[0])
            } else {
                Kind::V6(header[0])
            };
        }
        _ => {}
    }
    facts.path_mtu = match facts.icmp {
        Kind::V4(3) => header[1] == 4,
        Kind::V6(2) => true,
        _ => false,
    };
    facts.essential = match (ip.source, facts.icmp, udp_ports) {
        _ if facts.path_mtu => true,
        (IpAddr::V4(_), _, Some(ports)) => ports == (67, 68),
        (IpAddr::V6(from), Kind::V6(130..=132 | 143), _) => {
            ip.ttl == 1 && (from.is_unicast_link_local() || from.is_unspecified())
        }
        (IpAddr::V6(from), _, Some(ports)) => ports == (547, 546) && from.is_unicast_link_local(),
        _ => false,
    };
    facts.odd = network_oddities(ip, udp_ports);
    facts.odd.extend(bad_length.then_some(Reason::BadLength));
    facts.odd.extend(bad_flags.then_some(Reason::TcpFlags));
    Some(facts)
}

fn network_oddities(ip: &Ip<'_>, udp_ports: Option<(usize, usize)>) -> Vec<Reason> {
    let martian = match (ip.source, ip.destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let nameless = udp_ports == Some((68, 67)) || ip.protocol == 2;
            let nobody = from.octets()[0] == 0 && !(from.is_unspecified() && nameless);
            let no_host = from.is_multicast() || from.is_broadcast();
            nobody || no_host || from.is_loopback() || to.is_loopback()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let nobody = from.is_unspecified() && ip.protocol != 58;
            let no_host = from.is_multicast() || from.to_ipv4_mapped().is_some();
            nobody || no_host || from.is_loopback() || to.is_loopback()
        }
        _ => unreachable!("both addresses are of one version"),
    };
    let land = ip.source == ip.destination;
    [
        (martian, Reason::Martian),
        (land, Reason::Land),
        (ip.fragment.is_some(), Reason::Fragment),
        (ip.length_is_bad, Reason::BadLength),
    ]
    .into_iter()
    .filter_map(|(found, reason)| found.then_some(reason))
    .collect()
}
