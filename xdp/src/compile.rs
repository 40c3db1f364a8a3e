//! From rules to what the program reads: masks, a port table, and read-only data.

use floodwall_limiter::{KeyHash, LimitId, LimitKind, Secret};
use floodwall_xdp_abi::{
    self as abi,
    maps::{LIMITS, LISTENER, PORT_COUNT},
    rules::{
        BY_PORT, COUNTS_PORTS, COUNTS_SOURCE_PORTS, DROP_MALFORMED, KEY_NONE, KEY_PORT, KEY_SOURCE,
        KEY_SOURCE_PORT, LISTED_V4, LISTED_V6, Limit,
    },
};

use crate::{
    Action, Error, PacketKey, PacketLimit, Protocol, Rules,
    lists::{self, Lists},
};

/// One generation's rules in the program's terms.
pub(crate) struct Compiled {
    pub(crate) data: abi::Rules,
    /// Elements of the port table, by port.
    pub(crate) ports: Vec<u64>,
    pub(crate) lists: Lists,
}

/// The flow table that the program works on.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    pub(crate) secret: Secret,
    /// Number of sets; a power of two.
    pub(crate) sets: u64,
}

/// The ids of the limits, in their order.
///
/// # Errors
/// [`Error::TooManyLimits`].
pub(crate) fn ids(rules: &Rules, secret: Secret) -> Result<Vec<LimitId>, Error> {
    if rules.limits.len() > LIMITS {
        return Err(Error::TooManyLimits {
            found: rules.limits.len(),
            most: LIMITS,
        });
    }
    let id = |limit: &PacketLimit| LimitId::new(secret, LimitKind::Packet, &limit.name);
    Ok(rules.limits.iter().map(id).collect())
}

/// Compiles the rules. `limits` are the ids and counter slots of the limits, in their order.
pub(crate) fn compile(rules: &Rules, table: Table, limits: &[(LimitId, u32)]) -> Compiled {
    let lists = lists::of(&rules.allow, &rules.deny, table.secret);
    let mut data = abi::Rules {
        secret: table.secret,
        flows_mask: table.sets - 1,
        generation: rules.generation,
        flags: flags(rules, &lists),
        prefixes: rules.prefixes,
        none: KeyHash::of_nothing(table.secret),
        ..abi::Rules::EMPTY
    };
    for (limit, (id, slot)) in rules.limits.iter().zip(limits) {
        let bit = 1 << data.count;
        for protocol in protocols(limit) {
            data.by_protocol[*protocol as usize] |= bit;
        }
        if limit.matches.opens.is_some() {
            data.opening |= bit;
        }
        if !needs_port(limit) {
            data.portless |= bit;
        }
        data.limits[data.count as usize] = Limit {
            id: id.bits(),
            quota: limit.quota,
            slot: *slot,
            key: key(limit.key),
        };
        data.count += 1;
    }
    Compiled {
        data,
        ports: ports(rules),
        lists,
    }
}

fn flags(rules: &Rules, lists: &Lists) -> u32 {
    let counts = |key| rules.limits.iter().any(|limit| limit.key == key);
    [
        (DROP_MALFORMED, rules.malformed == Action::Drop),
        (LISTED_V4, lists.has_v4()),
        (LISTED_V6, lists.has_v6()),
        (
            BY_PORT,
            rules
                .limits
                .iter()
                .any(|limit| !limit.matches.ports.is_empty()),
        ),
        (COUNTS_PORTS, counts(PacketKey::Port)),
        (COUNTS_SOURCE_PORTS, counts(PacketKey::SourcePort)),
    ]
    .into_iter()
    .filter_map(|(flag, on)| on.then_some(flag))
    .sum()
}

fn protocols(limit: &PacketLimit) -> &'static [abi::Protocol] {
    use abi::Protocol::{Icmp, Other, Tcp, Udp};
    match limit.matches.protocol {
        _ if limit.matches.opens.is_some() => &[Tcp],
        Some(Protocol::Tcp) => &[Tcp],
        Some(Protocol::Udp) => &[Udp],
        Some(Protocol::Icmp) => &[Icmp],
        Some(_) => &[Other],
        None => &[Tcp, Udp, Icmp, Other],
    }
}

fn needs_port(limit: &PacketLimit) -> bool {
    !limit.matches.ports.is_empty() || matches!(limit.key, PacketKey::Port | PacketKey::SourcePort)
}

const fn key(key: PacketKey) -> u32 {
    match key {
        PacketKey::None => KEY_NONE,
        PacketKey::Source => KEY_SOURCE,
        PacketKey::Port => KEY_PORT,
        PacketKey::SourcePort => KEY_SOURCE_PORT,
    }
}

fn ports(rules: &Rules) -> Vec<u64> {
    let mut ports = vec![0; PORT_COUNT as usize];
    for (index, limit) in rules.limits.iter().enumerate() {
        let everywhere = [0..=u16::MAX];
        let ranges = if limit.matches.ports.is_empty() {
            &everywhere[..]
        } else {
            &limit.matches.ports
        };
        for range in ranges {
            for port in range.clone() {
                ports[usize::from(port)] |= 1 << index;
            }
        }
    }
    for port in &rules.listener_ports {
        ports[usize::from(*port)] |= LISTENER;
    }
    ports
}
