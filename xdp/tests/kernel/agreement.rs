//! One trace through both layers: the same limits on the flow table in process and in the loaded program
//! give the same verdict for every packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Prefixes, Quota, Scope, Secret, Source,
    table::Set,
};
use floodwall_xdp::{
    Cost, Opens, Outcome, Over, PacketKey, PacketLimit, PacketMatch, Protocol, Reason, Rules,
};

use ipnet::IpNet;

use super::{
    harness::{Bench, needs_root, rules},
    packet::{ACK, Packet, SYN, tcp, udp},
};

/// A seeded generator: `SplitMix64` (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len() as u64);
        from[usize::try_from(index).unwrap()].clone()
    }
}

/// One entry of a trace.
struct Entry {
    now: Nanos,
    source: IpAddr,
    port: u16,
    tcp: bool,
    syn: bool,
    /// Bytes of text behind the transport header.
    text: usize,
}

impl Entry {
    fn packet(&self) -> Packet {
        let from = self.source.to_string();
        let mut packet = match (self.tcp, self.syn) {
            (true, syn) => tcp(&from, self.port, if syn { SYN } else { ACK }),
            (false, _) => udp(&from, self.port),
        };
        packet.payload.extend(std::iter::repeat_n(0, self.text));
        packet
    }
}

/// What the program does, said again over the flow table in process.
struct Model {
    table: FlowTable<Box<[Set]>>,
    rules: Rules,
}

impl Model {
    fn verdict(&self, entry: &Entry) -> Reason {
        let secret = self.table.secret();
        let source = Source::of(entry.source, self.rules.prefixes);
        let key = KeyHash::of_source(secret, source);
        let block = FlowId::block(key, Scope::Listeners);
        let blocked = self.table.blocked(block, entry.now);
        if blocked.host {
            return Reason::BlockedHost;
        }
        if blocked.listeners && self.rules.listener_ports.contains(&entry.port) {
            return Reason::Blocked;
        }
        let mut taken = Vec::new();
        for limit in &self.rules.limits {
            if !matches(limit, entry) {
                continue;
            }
            let Some(quota) = quota(limit, entry) else {
                continue;
            };
            let source = Source::of(entry.source, limit.prefixes.unwrap_or(self.rules.prefixes));
            let key = match limit.key {
                PacketKey::None => KeyHash::of_nothing(secret),
                PacketKey::Source => KeyHash::of_source(secret, source),
                PacketKey::Port => KeyHash::of_port(secret, entry.port),
                PacketKey::SourcePort => KeyHash::of_source_and_port(secret, source, entry.port),
            };
            let id = LimitId::new(secret, LimitKind::Packet, &limit.name);
            let flow = FlowId::new(key, id);
            match self.table.charge(flow, quota, entry.now, 1) {
                Ok(done) => {
                    taken.push((flow, quota, done));
                    continue;
                }
                Err(_) if limit.shadow => continue,
                Err(_) => {}
            }
            for (flow, quota, done) in taken {
                self.table.refund(flow, quota, done, entry.now, 1);
            }
            return Reason::Limited;
        }
        Reason::Passed
    }
}

/// The quota whose unit is this packet, unless its source is not limited.
fn quota(limit: &PacketLimit, entry: &Entry) -> Option<Quota> {
    let holding = limit.exceptions.iter();
    let holding = holding.filter(|(net, _)| net.contains(&entry.source));
    let longest = holding.max_by_key(|(net, _)| net.prefix_len());
    let quota = longest.map_or(Some(limit.quota), |(_, quota)| *quota)?;
    let length = entry.packet().bytes().len() as u64;
    Some(match limit.cost {
        Cost::Packets => quota,
        Cost::Bytes => quota.of_parts(length, 10),
    })
}

fn matches(limit: &PacketLimit, entry: &Entry) -> bool {
    let protocol = match limit.matches.protocol {
        None => true,
        Some(Protocol::Tcp) => entry.tcp,
        Some(Protocol::Udp) => !entry.tcp,
        Some(_) => false,
    };
    let ports = &limit.matches.ports;
    let port = ports.is_empty() || ports.iter().any(|range| range.contains(&entry.port));
    protocol && port && (limit.matches.opens.is_none() || entry.tcp && entry.syn)
}

fn some_rules(dice: &mut Dice) -> Rules {
    let count = 1 + dice.below(16);
    let limits = (0..count).map(|index| {
        let protocol = dice.pick(&[None, None, Some(Protocol::Tcp), Some(Protocol::Udp)]);
        let rate = dice.pick(&[0, 1, 10, 1000, 3_333_333]);
        let per = dice.pick(&[
            Nanos::from_millis(1),
            Nanos::SECOND,
            Nanos::from_secs(86_400),
        ]);
        PacketLimit {
            name: format!("limit {index}"),
            matches: PacketMatch {
                protocol,
                ports: dice.pick(&[vec![], vec![], vec![80..=80], vec![1..=3, 443..=443]]),
                opens: (protocol != Some(Protocol::Udp) && dice.below(5) == 0)
                    .then_some(Opens::Tcp),
                icmp: Vec::new(),
            },
            over: Over::Drop,
            key: dice.pick(&[
                PacketKey::None,
                PacketKey::Source,
                PacketKey::Port,
                PacketKey::SourcePort,
            ]),
            // A limit of nothing would soon be the only verdict: one in twelve is enough of them.
            quota: if rate == 0 && dice.below(4) > 0 {
                Quota::new(1_000_000, per, 50)
            } else {
                Quota::new(rate, per, 1 + dice.below(300))
            },
            prefixes: dice.pick(&[None, None, Some(Prefixes { v4: 28, v6: 61 })]),
            cost: dice.pick(&[Cost::Packets, Cost::Packets, Cost::Bytes]),
            shadow: dice.below(6) == 0,
            exceptions: some_exceptions(dice),
        }
    });
    let limits = limits.collect();
    let prefixes = dice.pick(&[Prefixes::default(), Prefixes { v4: 24, v6: 48 }]);
    Rules {
        limits,
        prefixes,
        listener_ports: vec![80, 443],
        ..rules()
    }
}

fn some_exceptions(dice: &mut Dice) -> Vec<(IpNet, Option<Quota>)> {
    let nets = [
        "198.51.100.0/26",
        "198.51.100.32/27",
        "198.51.100.128/25",
        "2001:db8::/62",
        "2001:db8:0:1::/64",
    ];
    let quotas = [
        None,
        Some(Quota::CLOSED),
        Some(Quota::new(100, Nanos::SECOND, 20)),
    ];
    nets.into_iter()
        .filter_map(|net| {
            let quota = dice.pick(&quotas);
            (dice.below(4) == 0).then(|| (net.parse().unwrap(), quota))
        })
        .collect()
}

fn some_entry(dice: &mut Dice, now: &mut Nanos) -> Entry {
    let pause = dice.pick(&[0, 1, 2, 1_000, 50_000, 1_000_000, 40_000_000]);
    *now = now.plus(Nanos(dice.below(pause + 1)));
    let host = dice.below(200);
    let source = if dice.below(4) == 0 {
        let net = u128::from(host % 8) << 64;
        IpAddr::V6(Ipv6Addr::from_bits(
            0x2001_0db8 << 96 | net | u128::from(host),
        ))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(
            0xc633_6400 + u32::try_from(host).unwrap(),
        ))
    };
    Entry {
        now: *now,
        source,
        port: dice.pick(&[1, 2, 22, 53, 80, 443]),
        tcp: dice.below(3) > 0,
        syn: dice.below(2) == 0,
        text: dice.pick(&[0, 7, 500, 1400, 4000]),
    }
}

/// A small table, so that keys meet and displace each other.
const SOURCES: u64 = 1024;
const TRACES: u64 = 12;
const ENTRIES: u64 = 10_000;

#[test]
fn one_trace_has_the_same_verdicts_in_both_layers() {
    needs_root!();
    let bench = Bench::with_sources(SOURCES);
    let mut verdicts = [0_u64; 3];
    for seed in 1..=TRACES {
        println!("seed {seed}");
        verdicts = replay(&bench, seed, verdicts);
    }
    let [passed, limited, blocked] = verdicts;
    println!("passed {passed}, limited {limited}, blocked {blocked}");
    assert_eq!(passed + limited + blocked, TRACES * ENTRIES);
    for count in verdicts {
        assert!(
            count > TRACES * ENTRIES / 100,
            "the traces show all verdicts"
        );
    }
}

fn replay(bench: &Bench, seed: u64, mut verdicts: [u64; 3]) -> [u64; 3] {
    let mut dice = Dice(seed);
    let rules = some_rules(&mut dice);
    let program = bench.load(&rules);
    let secret: Secret = bench.table.secret();
    // Both tables start without debts: what is in the kernel's has run out by the time of this trace.
    let mut now = Nanos::from_secs(seed * 1_000_000_000 + dice.below(2));
    let model = Model {
        table: FlowTable::own(SOURCES, secret),
        rules,
    };
    for entry in 0..ENTRIES {
        let entry = (entry, some_entry(&mut dice, &mut now));
        if dice.below(500) == 0 {
            block_both(bench, &model, &entry.1, &mut dice);
        }
        bench.filter.turn_clock(entry.1.now);
        let expected = model.verdict(&entry.1);
        let run = program.test_run(&entry.1.packet().bytes(), 1).unwrap();
        assert_eq!(
            run.action == Outcome::Drop,
            expected.drops(),
            "seed {seed}, entry {}: {expected:?} in process",
            entry.0
        );
        match expected {
            Reason::Passed => verdicts[0] += 1,
            Reason::Limited => verdicts[1] += 1,
            _ => verdicts[2] += 1,
        }
    }
    verdicts
}

fn block_both(bench: &Bench, model: &Model, entry: &Entry, dice: &mut Dice) {
    let source = Source::of(entry.source, model.rules.prefixes);
    let key = KeyHash::of_source(model.table.secret(), source);
    let scope = dice.pick(&[Scope::Listeners, Scope::Host]);
    let until = entry.now.plus(Nanos(dice.below(2_000_000_000)));
    let flow = FlowId::block(key, scope);
    model.table.hold(flow, until, entry.now).unwrap();
    bench.table.hold(flow, until, entry.now).unwrap();
}
