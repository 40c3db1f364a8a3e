//! Packet limits: from the configuration's words to the program's.

use floodwall_config::{self as config, Allowance, Over, PacketKey, Per, Protocol, Rate};
use floodwall_limiter::{Prefixes, Quota};
use floodwall_xdp::{self as xdp, Cost, IcmpType, Opens, PacketMatch};

/// Compiles a limit; what it does not say of prefixes is as for `clients`. `cookies` are to be had, or not.
pub(super) fn compile(
    limit: &config::PacketLimit,
    clients: Prefixes,
    cookies: bool,
) -> xdp::PacketLimit {
    let own_prefixes = limit.ipv4_prefix.is_some() || limit.ipv6_prefix.is_some();
    let exceptions = limit.exceptions.iter();
    xdp::PacketLimit {
        name: limit.name.clone(),
        matches: matches(&limit.matches),
        key: match limit.key {
            PacketKey::None => xdp::PacketKey::None,
            PacketKey::Source => xdp::PacketKey::Source,
            PacketKey::Port => xdp::PacketKey::Port,
            PacketKey::SourcePort => xdp::PacketKey::SourcePort,
        },
        prefixes: own_prefixes.then(|| Prefixes {
            v4: limit.ipv4_prefix.unwrap_or(clients.v4),
            v6: limit.ipv6_prefix.unwrap_or(clients.v6),
        }),
        quota: quota(&limit.rate, limit.per),
        cost: match limit.per {
            Per::Packets => Cost::Packets,
            Per::Bytes => Cost::Bytes,
        },
        over: match limit.over {
            Over::Cookie if cookies => xdp::Over::Cookie,
            Over::Cookie | Over::Drop => xdp::Over::Drop,
        },
        shadow: limit.shadow,
        exceptions: exceptions
            .map(|exception| (exception.net, allowed(&exception.allowance, limit.per)))
            .collect(),
    }
}

fn allowed(allowance: &Allowance, per: Per) -> Option<Quota> {
    match allowance {
        Allowance::Unlimited => None,
        Allowance::Rate(rate) => Some(quota(rate, per)),
    }
}

fn quota(rate: &Rate, per: Per) -> Quota {
    match per {
        Per::Packets => rate.quota,
        Per::Bytes => Cost::bytes(rate.count, rate.per, rate.burst),
    }
}

fn matches(matches: &config::PacketMatch) -> PacketMatch {
    let ports = matches.ports.iter();
    PacketMatch {
        protocol: matches.protocol.map(protocol),
        ports: ports.map(|range| range.first..=range.last).collect(),
        opens: match (matches.new, matches.syn) {
            (true, _) => Some(Opens::Any),
            (false, true) => Some(Opens::Tcp),
            (false, false) => None,
        },
        icmp: matches.icmp.iter().copied().flat_map(types).collect(),
    }
}

fn types(named: config::IcmpType) -> impl Iterator<Item = IcmpType> {
    let v4 = named.v4.map(IcmpType::V4);
    v4.into_iter().chain(named.v6.map(IcmpType::V6))
}

const fn protocol(protocol: Protocol) -> xdp::Protocol {
    match protocol {
        Protocol::Tcp => xdp::Protocol::Tcp,
        Protocol::Udp => xdp::Protocol::Udp,
        Protocol::Icmp => xdp::Protocol::Icmp,
        Protocol::Sctp => xdp::Protocol::Sctp,
        Protocol::Igmp => xdp::Protocol::Igmp,
        Protocol::Gre => xdp::Protocol::Gre,
        Protocol::Esp => xdp::Protocol::Esp,
        Protocol::Ah => xdp::Protocol::Ah,
        Protocol::Number(number) => xdp::Protocol::Number(number),
    }
}
