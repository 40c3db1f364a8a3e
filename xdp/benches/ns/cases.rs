//! What is measured: rules and the packets that meet them.

use floodwall_limiter::{FlowId, FlowTable, KeyHash, Nanos, Prefixes, Quota, Scope, Source};
use floodwall_xdp::{Action, Checks, Clock, Cost, PacketKey, PacketLimit, PreFilter, Rules};

use crate::{
    Failure,
    packet::{ACK, tcp},
    rig::case::{Case, ours},
};

pub(crate) const GOOD: &str = "198.51.100.7";
pub(crate) const BAD: &str = "203.0.113.9";

/// What xdp-filter does with the nearest packet.
#[derive(Clone, Copy)]
pub(crate) enum Beside {
    Pass,
    Drop,
    Nothing,
}

/// Programs that do one thing each.
pub(crate) const PRIMITIVES: &[&str] = &[
    "clock",
    "coarse_clock",
    "ticks",
    "call",
    "hash",
    "lookup",
    "exchange",
    "exchanges",
    "count",
];

/// What a step is called, the case without it, the case with it, and how often that takes it.
pub(crate) const STEPS: &[(&str, &str, &str, u32)] = &[
    ("ethertype-and-count", "empty", "arp", 1),
    ("parse-hash-and-block-cell", "arp", "pass-unchecked", 1),
    ("checks", "pass-unchecked", "pass", 1),
    (
        "list-that-has-not-the-source",
        "pass-1-limit",
        "pass-beside-a-list",
        1,
    ),
    (
        "first-limit-without-its-clock",
        "pass",
        "pass-1-limit-no-clock",
        1,
    ),
    (
        "ticks-of-the-limits",
        "pass-1-limit-no-clock",
        "pass-1-limit",
        1,
    ),
    (
        "exact-clock-instead",
        "pass-1-limit",
        "pass-1-limit-exact",
        1,
    ),
    (
        "each-further-limit-to-4",
        "pass-1-limit",
        "pass-4-limits",
        3,
    ),
    (
        "each-further-limit-to-16",
        "pass-1-limit",
        "pass-16-limits",
        15,
    ),
    ("each-further-exchange-to-16", "exchange", "exchanges", 15),
];

/// All cases, each with what xdp-filter does that is nearest.
pub(crate) fn all(filter: &PreFilter) -> Result<Vec<(Case, Beside)>, Failure> {
    block(filter, BAD)?;
    let mut cases = Vec::new();
    let mut add = |name: &str, rules: &Rules, packet: &[u8], beside| -> Result<(), Failure> {
        let program = ours(filter.load(rules)?);
        cases.push((Case::new(name, program, packet.to_vec()), beside));
        Ok(())
    };
    let good = &tcp(GOOD, 443, ACK).bytes();
    add("pass", &rules(0), good, Beside::Pass)?;
    add("pass-unchecked", &unchecked(), good, Beside::Pass)?;
    add("pass-1-limit", &rules(1), good, Beside::Pass)?;
    let exact = Rules {
        lag: Nanos::ZERO,
        ..rules(1)
    };
    add("pass-1-limit-exact", &exact, good, Beside::Pass)?;
    add("pass-4-limits", &rules(4), good, Beside::Pass)?;
    add("pass-16-limits", &rules(16), good, Beside::Pass)?;
    let of_bytes = one(|limit| limit.cost = Cost::Bytes);
    add("pass-1-limit-of-bytes", &of_bytes, good, Beside::Pass)?;
    let shadow = one(|limit| limit.shadow = true);
    add("pass-1-shadow", &shadow, good, Beside::Pass)?;
    let wide = one(|limit| limit.prefixes = Some(Prefixes { v4: 24, v6: 48 }));
    add("pass-1-limit-of-its-own-prefix", &wide, good, Beside::Pass)?;
    let elsewhere = vec![("192.0.2.0/24".parse()?, None)];
    let excepted = one(|limit| limit.exceptions.clone_from(&elsewhere));
    add(
        "pass-1-limit-beside-an-exception",
        &excepted,
        good,
        Beside::Pass,
    )?;
    let listed = Rules {
        deny: vec!["203.0.113.0/24".parse()?],
        ..rules(1)
    };
    add("pass-beside-a-list", &listed, good, Beside::Pass)?;

    let mut arp = good.clone();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    add("arp", &rules(0), &arp, Beside::Nothing)?;
    let six = tcp("2001:db8::7", 443, ACK);
    add("pass-ipv6", &rules(0), &six.bytes(), Beside::Nothing)?;
    let chain = tcp("2001:db8::7", 443, ACK)
        .behind(60, &[0; 7])
        .behind(0, &[0; 7]);
    add(
        "pass-ipv6-2-extensions",
        &rules(0),
        &chain.bytes(),
        Beside::Nothing,
    )?;

    add("malformed", &rules(0), &six.bytes()[..60], Beside::Drop)?;
    let null = tcp(GOOD, 443, 0).bytes();
    add("bogus-flags", &rules(0), &null, Beside::Drop)?;
    let closed = one(|limit| limit.quota = Quota::CLOSED);
    add("limited", &closed, good, Beside::Drop)?;
    let bad = &tcp(BAD, 443, ACK).bytes();
    add("denied", &listed, bad, Beside::Drop)?;
    let sampled = Rules {
        sample: Some(Quota::new(10, Nanos::SECOND, 10)),
        ..listed
    };
    add("denied-sampled", &sampled, bad, Beside::Drop)?;
    add("blocked", &rules(1), bad, Beside::Drop)?;
    add("blocked-without-limits", &rules(0), bad, Beside::Drop)?;

    filter.turn_clock(Nanos::SECOND);
    let stopped = filter.load_with_clock(&rules(1), Clock::Injected)?;
    let case = Case::new("pass-1-limit-no-clock", ours(stopped), good.clone());
    cases.push((case, Beside::Pass));
    Ok(cases)
}

/// No limits, and nothing is looked for.
fn unchecked() -> Rules {
    Rules {
        checks: Checks {
            tcp_flags: Action::Pass,
            land: Action::Pass,
            martians: Action::Pass,
            lengths: Action::Pass,
        },
        ..rules(0)
    }
}

/// One limit that is something else as well.
fn one(change: impl Fn(&mut PacketLimit)) -> Rules {
    let mut rules = rules(1);
    rules.limits.iter_mut().for_each(change);
    rules
}

/// So many limits that count by source and never refuse.
pub(crate) fn rules(limits: u32) -> Rules {
    // A packet costs two nanoseconds, and takes longer.
    let quota = Quota::new(500_000_000, Nanos::SECOND, 1 << 60);
    let limit = |index| PacketLimit::new(format!("limit {index}"), PacketKey::Source, quota);
    Rules {
        listener_ports: vec![443],
        limits: (0..limits).map(limit).collect(),
        lag: floodwall_xdp::lag(),
        ..Rules::new(1)
    }
}

fn block(filter: &PreFilter, address: &str) -> Result<(), Failure> {
    let memory = filter.memory();
    let table = FlowTable::over(memory.flows, memory.secret);
    let source = Source::of(address.parse()?, Prefixes::default());
    let key = KeyHash::of_source(memory.secret, source);
    let flow = FlowId::block(key, Scope::Listeners);
    table.hold(flow, Nanos(u64::MAX >> 1), Nanos::ZERO)?;
    Ok(())
}
