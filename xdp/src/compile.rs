//! From rules to what the program reads: masks, a port table, and read-only data.

use floodwall_limiter::{KeyHash, LimitId, LimitKind, Nanos, Quota, Secret};
use floodwall_xdp_abi::{
    self as abi,
    list::{DROP, PASS},
    maps::{Class, LIMITS, LISTENER, PORT_COUNT},
    rules::{COST_BYTES, COST_PACKETS, Limit},
};

use crate::{
    BlockAction, Cost, Error, PacketLimit, Rules,
    exceptions::Classes,
    lists::{self, Lists},
    ticks,
};

mod flags;
mod matching;

/// One generation's rules in the program's terms.
pub(crate) struct Compiled {
    pub(crate) data: abi::Rules,
    /// Elements of the port table, by port.
    pub(crate) ports: Vec<u64>,
    pub(crate) lists: Lists,
    /// The classes of the limits' exceptions.
    pub(crate) classes: Vec<Class>,
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

/// How many classes of sources the limits' exceptions may come to.
const MOST_CLASSES: usize = 1 << 16;

/// Compiles the rules. `limits` are the ids and counter slots of the limits, in their order.
///
/// # Errors
/// [`Error::TooManyExceptions`].
pub(crate) fn compile(
    rules: &Rules,
    table: Table,
    limits: &[(LimitId, u32)],
) -> Result<Compiled, Error> {
    // A clock that is seconds behind is no use.
    let lag = u32::try_from(rules.lag.0).unwrap_or(0);
    let (counted, exact) = ticks::fit_all(&rules.limits, Nanos(lag.into()));
    let (mut classes, exceptions) = Classes::of(&counted);
    let deny = rules.deny.iter().map(|net| (*net, DROP));
    let allow = rules.allow.iter().map(|net| (*net, PASS));
    let prefixes = deny.chain(allow).chain(exceptions);
    let lists = lists::compile(prefixes, table.secret, |outer, inner| {
        classes.combine(outer, inner)
    });
    if classes.count() > MOST_CLASSES {
        return Err(Error::TooManyExceptions {
            found: classes.count(),
            most: MOST_CLASSES,
        });
    }
    let mut data = abi::Rules {
        secret: table.secret,
        flows_mask: table.sets - 1,
        generation: rules.generation,
        flags: flags::of(rules, &lists, &classes),
        prefixes: rules.prefixes,
        none: KeyHash::of_nothing(table.secret),
        sample: rules.sample.unwrap_or(Quota::CLOSED),
        reset: match rules.block_action {
            BlockAction::Drop => Quota::CLOSED,
            BlockAction::Reset(quota) => quota,
        },
        lag,
        exact,
        ..abi::Rules::EMPTY
    };
    for (limit, (id, slot)) in counted.iter().zip(limits) {
        let index = data.count as usize;
        matching::mark(&mut data, index, limit);
        data.limits[index] = Limit {
            id: id.bits(),
            quota: limit.quota,
            slot: *slot,
            key: matching::key(limit, rules.prefixes),
            cost: match limit.cost {
                Cost::Packets => COST_PACKETS,
                Cost::Bytes => COST_BYTES,
            },
            prefixes: limit.prefixes.unwrap_or(rules.prefixes),
        };
        data.count += 1;
    }
    Ok(Compiled {
        data,
        ports: ports(rules),
        lists,
        classes: classes.table(&counted),
    })
}

fn ports(rules: &Rules) -> Vec<u64> {
    let mut ports = vec![0; PORT_COUNT as usize];
    for (index, limit) in rules.limits.iter().enumerate() {
        let everywhere = [0..=u16::MAX];
        let ranges = match limit.matches.ports.as_slice() {
            [] => &everywhere,
            ranges => ranges,
        };
        for port in ranges.iter().cloned().flatten() {
            ports[usize::from(port)] |= 1 << index;
        }
    }
    for port in &rules.listener_ports {
        ports[usize::from(*port)] |= LISTENER;
    }
    ports
}
