//! What would become of a packet, without any trace of the question.

use floodwall_limiter::{Nanos, Scope};
use floodwall_xdp::{Fate, Outcome, PacketKey, PacketLimit, Reason, Rules};

use super::{
    budgets::limit,
    harness::{Bench, needs_root, rules},
    packet::{SYN, tcp, udp},
};

fn fate(outcome: Outcome, reason: Reason, limit: Option<&str>, shadowed: &[&str]) -> Fate {
    Fate {
        outcome,
        reason,
        limit: limit.map(ToOwned::to_owned),
        shadowed: shadowed.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_probe_starts_from_the_present_state_and_leaves_no_trace() {
    needs_root!();
    let bench = Bench::new();
    let shadow = PacketLimit {
        shadow: true,
        ..limit("shadow", PacketKey::Source, 3)
    };
    let rules = Rules {
        limits: vec![shadow, limit("limit", PacketKey::Source, 5)],
        deny: vec!["203.0.113.0/24".parse().unwrap()],
        ..rules()
    };
    let program = bench.filter.load(&rules).unwrap();
    let packet = udp("198.51.100.7", 53).bytes();
    for _ in 0..2 {
        bench.send(&program, &packet);
    }
    bench.block("2001:db8:7::7", Scope::Host, Nanos::MAX);
    bench.filter.switch(program).unwrap();
    let before = bench.filter.counters().unwrap();

    let mut probe = bench.filter.probe(&rules).unwrap();
    let passed = |shadowed| fate(Outcome::Pass, Reason::Passed, None, shadowed);
    assert_eq!(probe.run(&packet, None).unwrap(), passed(&[]));
    for _ in 0..2 {
        assert_eq!(probe.run(&packet, None).unwrap(), passed(&["shadow"]));
    }
    let refused = fate(Outcome::Drop, Reason::Limited, Some("limit"), &["shadow"]);
    assert_eq!(probe.run(&packet, None).unwrap(), refused);
    for (packet, reason) in [
        (udp("203.0.113.9", 53), Reason::Denied),
        (tcp("2001:db8:7::7", 443, SYN), Reason::BlockedHost),
        (tcp("198.51.100.7", 443, 0), Reason::TcpFlags),
    ] {
        let dropped = fate(Outcome::Drop, reason, None, &[]);
        assert_eq!(probe.run(&packet.bytes(), None).unwrap(), dropped);
    }

    assert_eq!(bench.filter.counters().unwrap(), before);
    let mut probe = bench.filter.probe(&rules).unwrap();
    assert_eq!(probe.run(&packet, None).unwrap(), passed(&[]));
    assert!(probe.run(&packet[..10], None).is_err());
}
