//! What is shown of dropped packets: who, where to, why, and never more than the rate.

use floodwall_limiter::{Nanos, Quota, Scope};
use floodwall_xdp::{PacketKey, PacketLimit, Reason, Rules, Sample, Samples};

use super::{
    harness::{Bench, needs_root, rules},
    namespace::{Namespace, index},
    packet::{SYN, ping, tcp, udp},
};

fn sampling(burst: u64) -> Rules {
    let closed = PacketLimit::new("closed", PacketKey::Source, Quota::CLOSED);
    Rules {
        sample: Some(Quota::new(1, Nanos::SECOND, burst)),
        deny: vec!["203.0.113.0/24".parse().unwrap()],
        limits: vec![closed],
        ..rules()
    }
}

fn all(bench: &Bench, samples: &mut Samples) -> Vec<Sample> {
    std::iter::from_fn(|| bench.filter.next_sample(samples)).collect()
}

#[test]
fn a_sample_says_who_where_to_and_why() {
    needs_root!();
    let _namespace = Namespace::new();
    let bench = Bench::new();
    let mut samples = bench.filter.samples().unwrap();
    let program = bench.load(&sampling(100));
    bench.block("2001:db8:7::7", Scope::Host, Nanos::MAX);
    let ifindex = index("right");
    let table = [
        (tcp("203.0.113.9", 443, SYN).bytes(), Reason::Denied),
        (ping("2001:db8:7::7").bytes(), Reason::BlockedHost),
        (udp("198.51.100.7", 53).bytes(), Reason::Limited),
        (udp("0.1.2.3", 53).bytes(), Reason::Martian),
        (vec![8; 20], Reason::Passed),
        ([vec![8; 12], vec![8, 0, 0x45]].concat(), Reason::Malformed),
    ];
    for (packet, reason) in &table {
        let sent = bench.send_over(&program, packet, ifindex);
        assert!(sent == *reason || sent == Reason::NotIp, "{sent:?}");
    }
    bench.filter.switch(program).unwrap();
    let seen = all(&bench, &mut samples);
    let said = |source: Option<&str>, port, protocol, reason, limit: Option<&str>| {
        let mut packets = table.iter().filter(|(_, other)| *other == reason);
        Sample {
            time: Nanos::SECOND,
            source: source.map(|source| source.parse().unwrap()),
            port,
            protocol,
            reason,
            limit: limit.map(ToOwned::to_owned),
            ifindex,
            bytes: u32::try_from(packets.next().unwrap().0.len()).unwrap(),
        }
    };
    assert_eq!(
        seen,
        [
            said(Some("203.0.113.9"), Some(443), 6, Reason::Denied, None),
            said(Some("2001:db8:7::7"), None, 58, Reason::BlockedHost, None),
            said(
                Some("198.51.100.7"),
                Some(53),
                17,
                Reason::Limited,
                Some("closed")
            ),
            said(Some("0.1.2.3"), Some(53), 17, Reason::Martian, None),
            said(None, None, 0, Reason::Malformed, None),
        ]
    );
}

#[test]
fn there_are_never_more_than_the_rate() {
    needs_root!();
    let bench = Bench::new();
    let mut samples = bench.filter.samples().unwrap();
    let program = bench.load(&sampling(5));
    let packet = udp("198.51.100.7", 53).bytes();
    let flood = || {
        for _ in 0..50 {
            bench.send(&program, &packet);
        }
    };
    flood();
    assert_eq!(all(&bench, &mut samples).len(), 5);
    bench.filter.turn_clock(Nanos::from_secs(3));
    flood();
    assert_eq!(all(&bench, &mut samples).len(), 2);
    let without = bench.load(&Rules {
        sample: None,
        ..sampling(5)
    });
    bench.filter.turn_clock(Nanos::from_secs(60));
    assert_eq!(bench.send(&without, &packet), Reason::Limited);
    assert_eq!(all(&bench, &mut samples), []);
}

#[test]
fn nobody_who_takes_samples_out_loses_those_that_find_no_room() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&sampling(1 << 20));
    let packet = udp("198.51.100.7", 53).bytes();
    program.test_run(&packet, 10_000).unwrap();
    let lost = bench.filter.counters().unwrap().samples_lost;
    assert!(lost > 0);
    let mut samples = bench.filter.samples().unwrap();
    let kept = all(&bench, &mut samples).len() as u64;
    assert_eq!(kept + lost, 10_000);
}
