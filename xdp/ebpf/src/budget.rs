//! Packet limits: a packet is admitted by all that take it, or charges none.

use floodwall_limiter::{
    FlowId, KeyHash, LimitId, Nanos, Quota, Source,
    set::{self, Done, Refused},
};
use floodwall_xdp_abi::{
    Port, Reason,
    maps::LIMITS,
    rules::{
        CLASSES, COOKIES, COST_BYTES, COUNTS_BYTES, COUNTS_PORTS, COUNTS_SOURCE_PORTS,
        KEY_OWN_SOURCE, KEY_OWN_SOURCE_PORT, KEY_PORT, KEY_SOURCE, KEY_SOURCE_PORT, Limit,
        UNIT_SHIFT,
    },
};

use aya_ebpf::{macros::map, maps::PerCpuArray};

use crate::{
    fate::Fate,
    maps,
    rules::{self, limit_field, rule},
};

/// What the limits want to know of one packet. Its keys are hashed once, and only when a limit counts by them.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Subject {
    source: u64,
    port: u64,
    source_port: u64,
    address: Source,
    /// The bytes of its frame, if a limit counts them.
    length: u64,
    number: u16,
    /// Where its source is in the limits' exceptions.
    class: u32,
}

impl Subject {
    #[inline(always)]
    pub(crate) fn of(
        address: Source,
        source: Source,
        key: KeyHash,
        port: Port,
        length: u64,
        class: u32,
    ) -> Self {
        let secret = rule!(secret);
        let number = port.number();
        Self {
            source: key.bits(),
            port: if rules::on(COUNTS_PORTS) {
                KeyHash::of_port(secret, number).bits()
            } else {
                0
            },
            source_port: if rules::on(COUNTS_SOURCE_PORTS) {
                KeyHash::of_source_and_port(secret, source, number).bits()
            } else {
                0
            },
            address,
            length,
            number,
            class,
        }
    }

    /// The key that a limit counts by.
    #[inline(always)]
    fn key(&self, limit: &Limit, index: usize) -> u64 {
        match limit_field!(limit, key) {
            KEY_SOURCE => self.source,
            KEY_PORT => self.port,
            KEY_SOURCE_PORT => self.source_port,
            KEY_OWN_SOURCE | KEY_OWN_SOURCE_PORT => {
                let [high, low] = self.address.words();
                own_key(index as u64, high, low, self.number.into())
            }
            _ => rule!(none).bits(),
        }
    }
}

/// The key of a limit that has prefixes of its own.
///
/// This and the functions below are global: they take plain numbers, and the verifier looks at each once,
/// whatever the number of limits and of ways to come here.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn own_key(index: u64, high: u64, low: u64, port: u64) -> u64 {
    let limit = rules::limit(index as usize % LIMITS);
    let secret = rule!(secret);
    let source = Source::from_words([high, low]).within(limit_field!(limit, prefixes));
    if limit_field!(limit, key) == KEY_OWN_SOURCE {
        KeyHash::of_source(secret, source).bits()
    } else {
        KeyHash::of_source_and_port(secret, source, port as u16).bits()
    }
}

/// Charges one packet to every limit whose bit is set. When one refuses, those before it get theirs back.
///
/// A limit in shadow that refuses is counted and has charged nothing.
#[inline(always)]
pub(crate) fn charge_all(limits: u64, subject: &Subject, now: Nanos) -> Fate {
    let Some(counters) = maps::counters() else {
        return Reason::Passed.into();
    };
    let limits = limits & !unlimited(subject.class);
    let mut charged = 0;
    for index in 0..LIMITS {
        if index >= rule!(count) as usize {
            break;
        }
        if limits & 1 << index == 0 {
            continue;
        }
        let limit = rules::limit(index);
        let slot = limit_field!(limit, slot);
        let key = subject.key(limit, index);
        let quota = quota(limit, index, subject.class, subject.length);
        match recharge(limit, key, quota, now)
            .unwrap_or_else(|| charge_with_retries(index as u64, key, now.0, subject))
        {
            ADMITTED => {}
            DISPLACED => counters.displaced(),
            outcome => {
                if outcome == CONTENDED {
                    counters.contended();
                }
                if rule!(shadow) & 1 << index != 0 {
                    counters.shadowed(slot);
                    continue;
                }
                counters.dropped(slot);
                give_back_all(charged, subject, now);
                return Fate {
                    reason: over(index),
                    limit: limit_field!(limit, id),
                    slot,
                };
            }
        }
        charged |= 1 << index;
        counters.admitted(slot, 1);
    }
    Reason::Passed.into()
}

/// What a limit has for a packet above its rate.
#[inline(always)]
fn over(index: usize) -> Reason {
    if rules::on(COOKIES) && u64::from(rule!(cookies)) & 1 << index != 0 {
        Reason::Cookie
    } else {
        Reason::Limited
    }
}

/// The limits, by bit, that do not count the sources of this class.
#[inline(always)]
fn unlimited(class: u32) -> u64 {
    if !rules::on(CLASSES) || class == 0 {
        return 0;
    }
    maps::class(class).map_or(0, |class| class.unlimited)
}

/// The quota of a limit for a packet, whose unit is what the packet costs.
#[inline(always)]
fn quota(limit: &Limit, index: usize, class: u32, length: u64) -> Quota {
    let mut quota = limit_field!(limit, quota);
    if rules::on(CLASSES)
        && class != 0
        && let Some(class) = maps::class(class)
        // SAFETY: the index is below the size of the array.
        && let quotas = (&raw const class.quotas).cast::<Quota>()
    {
        quota = unsafe { *quotas.add(index) };
    }
    if rules::on(COUNTS_BYTES) && limit_field!(limit, cost) == COST_BYTES {
        quota.of_parts(length, UNIT_SHIFT)
    } else {
        quota
    }
}

/// The packet whose charges are given back, on its CPU: a global function takes five numbers and no more.
#[map]
static REFUSED: PerCpuArray<Subject> = PerCpuArray::with_max_entries(1, 0);

/// Returns a packet's charges to the limits whose bit is set.
///
/// No branch depends on the bits, for the verifier would look at what follows once for every set of them.
#[inline(always)]
fn give_back_all(charged: u64, subject: &Subject, now: Nanos) {
    if rule!(count) == 1 {
        return;
    }
    if let Some(refused) = REFUSED.get_ptr_mut(0) {
        // SAFETY: the value is this CPU's alone, and an XDP program is not preempted by another.
        unsafe { *refused = *subject };
        give_back(charged, now.0);
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn give_back(charged: u64, now: u64) -> u64 {
    let (Some(counters), Some(subject)) = (maps::counters(), REFUSED.get(0)) else {
        return 0;
    };
    for index in 0..LIMITS {
        if index >= rule!(count) as usize {
            break;
        }
        if charged & 1 << index == 0 {
            continue;
        }
        let limit = rules::limit(index);
        let key = subject.key(limit, index);
        refund(index as u64, key, now, subject.length, subject.class.into());
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
fn recharge(limit: &Limit, key: u64, quota: Quota, now: Nanos) -> Option<u64> {
    let flow = flow(limit, key);
    let cells = maps::set(flow)?;
    set::recharge(&cells, flow, quota, now, 1).map(outcome)
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
fn charge_with_retries(index: u64, key: u64, now: u64, subject: &Subject) -> u64 {
    let mut outcome = CONTENDED;
    for _ in 0..ATTEMPTS {
        outcome = charge(index, key, now, subject.length, subject.class.into());
        if outcome != CONTENDED {
            break;
        }
    }
    outcome
}

/// Charges one packet to the limit of this index.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn charge(index: u64, key: u64, now: u64, length: u64, class: u64) -> u64 {
    let index = index as usize % LIMITS;
    let limit = rules::limit(index);
    let flow = flow(limit, key);
    let Some(cells) = maps::set(flow) else {
        return ADMITTED;
    };
    let quota = quota(limit, index, class as u32, length);
    outcome(set::charge(&cells, flow, quota, Nanos(now), 1))
}

/// Takes one packet's price off a key that was charged at this same moment.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn refund(index: u64, key: u64, now: u64, length: u64, class: u64) -> u64 {
    let index = index as usize % LIMITS;
    let limit = rules::limit(index);
    let flow = flow(limit, key);
    if let Some(cells) = maps::set(flow) {
        let price = quota(limit, index, class as u32, length).interval();
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
