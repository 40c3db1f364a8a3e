//! Packet limits: a packet is admitted by all that take it, or charges none.

use floodwall_limiter::{
    FlowId, KeyHash, LimitId, Nanos, Source,
    set::{self, Done, Refused},
};
use floodwall_xdp_abi::{
    Port, Reason,
    maps::LIMITS,
    rules::{COUNTS_PORTS, COUNTS_SOURCE_PORTS, KEY_PORT, KEY_SOURCE, KEY_SOURCE_PORT, Limit},
};

use crate::{
    maps,
    rules::{self, limit_field, rule},
};

/// The keys of one packet, each hashed once and only when a limit counts by it.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    none: KeyHash,
    source: KeyHash,
    port: KeyHash,
    source_port: KeyHash,
}

impl Keys {
    #[inline(always)]
    pub(crate) fn of(source: Source, source_key: KeyHash, port: Port) -> Self {
        let secret = rule!(secret);
        let none = rule!(none);
        let port = port.number();
        Self {
            none,
            source: source_key,
            port: if rules::on(COUNTS_PORTS) {
                KeyHash::of_port(secret, port)
            } else {
                none
            },
            source_port: if rules::on(COUNTS_SOURCE_PORTS) {
                KeyHash::of_source_and_port(secret, source, port)
            } else {
                none
            },
        }
    }

    #[inline(always)]
    fn of_limit(self, limit: &Limit) -> u64 {
        match limit_field!(limit, key) {
            KEY_SOURCE => self.source,
            KEY_PORT => self.port,
            KEY_SOURCE_PORT => self.source_port,
            _ => self.none,
        }
        .bits()
    }

    /// The keys from numbers, which is what a global function can be given.
    #[inline(always)]
    fn from_bits(source: u64, port: u64, source_port: u64) -> Self {
        Self {
            none: rule!(none),
            source: KeyHash::from_bits(source),
            port: KeyHash::from_bits(port),
            source_port: KeyHash::from_bits(source_port),
        }
    }
}

/// Charges one packet to every limit whose bit is set. When one refuses, those before it get theirs back.
#[inline(always)]
pub(crate) fn charge_all(limits: u64, keys: Keys, now: Nanos) -> Reason {
    let Some(counters) = maps::counters() else {
        return Reason::Passed;
    };
    for index in 0..LIMITS {
        if index >= rule!(count) as usize {
            break;
        }
        if limits & 1 << index == 0 {
            continue;
        }
        let limit = rules::limit(index);
        let slot = limit_field!(limit, slot);
        let key = keys.of_limit(limit);
        match recharge(limit, key, now)
            .unwrap_or_else(|| charge_with_retries(index as u64, key, now.0))
        {
            ADMITTED => {}
            DISPLACED => counters.displaced(),
            outcome => {
                if outcome == CONTENDED {
                    counters.contended();
                }
                counters.dropped(slot);
                give_back(
                    limits & ((1 << index) - 1),
                    keys.source.bits(),
                    keys.port.bits(),
                    keys.source_port.bits(),
                    now.0,
                );
                return Reason::Limited;
            }
        }
        counters.admitted(slot, 1);
    }
    Reason::Passed
}

/// Returns a packet's charges to the limits whose bit is set.
///
/// This and the functions below are global: they take plain numbers, and the verifier looks at each once,
/// whatever the number of limits and of ways to come here.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn give_back(limits: u64, source: u64, port: u64, source_port: u64, now: u64) -> u64 {
    let Some(counters) = maps::counters() else {
        return 0;
    };
    let keys = Keys::from_bits(source, port, source_port);
    for index in 0..LIMITS {
        if limits & 1 << index == 0 {
            continue;
        }
        let limit = rules::limit(index);
        refund(index as u64, keys.of_limit(limit), now);
        counters.admitted(limit_field!(limit, slot), -1);
    }
    0
}

const ADMITTED: u64 = 0;
/// Admitted, and a key in debt lost its cell.
const DISPLACED: u64 = 1;
const OVER: u64 = 2;
const CONTENDED: u64 = 3;

/// Charges one packet to a key that has a cell of its own already, which most have.
///
/// It stands in the loop, where a call costs more than the charge.
#[inline(always)]
fn recharge(limit: &Limit, key: u64, now: Nanos) -> Option<u64> {
    let flow = flow(limit, key);
    let cells = maps::set(flow)?;
    set::recharge(&cells, flow, limit_field!(limit, quota), now, 1).map(outcome)
}

#[inline(always)]
fn outcome(charged: Result<Done, Refused>) -> u64 {
    match charged {
        Ok(done) if done.displaced > Nanos::ZERO => DISPLACED,
        Ok(_) => ADMITTED,
        Err(Refused::Over { .. }) => OVER,
        Err(Refused::Contended) => CONTENDED,
    }
}

/// How many races in a row a packet may lose before it is refused. The kernel may not retry for ever.
const ATTEMPTS: usize = 3;

#[inline(always)]
fn charge_with_retries(index: u64, key: u64, now: u64) -> u64 {
    let mut outcome = CONTENDED;
    for _ in 0..ATTEMPTS {
        outcome = charge(index, key, now);
        if outcome != CONTENDED {
            break;
        }
    }
    outcome
}

/// Charges one packet to the limit of this index.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn charge(index: u64, key: u64, now: u64) -> u64 {
    let limit = rules::limit(index as usize % LIMITS);
    let flow = flow(limit, key);
    let Some(cells) = maps::set(flow) else {
        return ADMITTED;
    };
    outcome(set::charge(
        &cells,
        flow,
        limit_field!(limit, quota),
        Nanos(now),
        1,
    ))
}

/// Takes one packet's price off a key that was charged at this same moment.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn refund(index: u64, key: u64, now: u64) -> u64 {
    let limit = rules::limit(index as usize % LIMITS);
    let flow = flow(limit, key);
    if let Some(cells) = maps::set(flow) {
        let price = limit_field!(limit, quota).interval();
        // The charge was made at `now`, so its debt lasts beyond it.
        set::refund(&cells, flow.fingerprint(), Nanos::MAX, price, Nanos(now));
    }
    0
}

#[inline(always)]
fn flow(limit: &Limit, key: u64) -> FlowId {
    FlowId::new(
        KeyHash::from_bits(key),
        LimitId::from_bits(limit_field!(limit, id)),
    )
}
