//! Packet limits in the kernel: who is counted, by what, and what a refusal gives back.

use std::time::Instant;

use floodwall_limiter::{Nanos, Quota};
use floodwall_xdp::{
    LimitCounters, Opens, PacketKey, PacketLimit, PacketMatch, Protocol, Reason, Rules,
};

use super::{
    harness::{Bench, needs_root, rules},
    packet::{ACK, Packet, SYN, ping, tcp, udp},
};

/// A limit of `burst` packets whose budget does not grow while a test runs.
pub(crate) fn limit(name: &str, key: PacketKey, burst: u64) -> PacketLimit {
    PacketLimit::new(name, key, Quota::new(1, Nanos::from_secs(3600), burst))
}

fn with(limits: Vec<PacketLimit>) -> Rules {
    Rules { limits, ..rules() }
}

/// How many of a hundred such packets pass.
fn passed(bench: &Bench, rules: &Rules, packet: &Packet) -> usize {
    let program = bench.load(rules);
    let bytes = packet.bytes();
    let mut passed = 0;
    for _ in 0..100 {
        match bench.send(&program, &bytes) {
            Reason::Passed => passed += 1,
            reason => assert_eq!(reason, Reason::Limited),
        }
    }
    passed
}

#[test]
fn a_limit_counts_the_packets_that_match_it_and_no_others() {
    needs_root!();
    let matching = |name, burst, matches| PacketLimit {
        matches,
        ..limit(name, PacketKey::None, burst)
    };
    let of = |protocol| PacketMatch {
        protocol: Some(protocol),
        ..PacketMatch::default()
    };
    let syn = matching(
        "syn",
        5,
        PacketMatch {
            opens: Some(Opens::Tcp),
            ..PacketMatch::default()
        },
    );
    let tcp_only = matching("tcp", 6, of(Protocol::Tcp));
    let icmp = matching("icmp", 7, of(Protocol::Icmp));
    let dns = matching(
        "dns",
        8,
        PacketMatch {
            ports: vec![53..=53, 8000..=8010],
            ..of(Protocol::Udp)
        },
    );
    let by_port = limit("by-port", PacketKey::Port, 9);
    let all = limit("all", PacketKey::Source, 10);
    let v4 = "198.51.100.7";
    let v6 = "2001:db8::7";
    for (what, limit, packet, expected) in [
        ("SYN", &syn, tcp(v4, 1, SYN), 5),
        ("ACK is no SYN", &syn, tcp(v4, 1, ACK), 100),
        ("SYN and ACK neither", &syn, tcp(v4, 1, SYN | ACK), 100),
        ("UDP has no SYN", &syn, udp(v4, 1), 100),
        ("TCP", &tcp_only, tcp(v6, 1, ACK), 6),
        (
            "a later fragment of TCP",
            &tcp_only,
            tcp(v4, 1, ACK).fragment(9),
            6,
        ),
        ("UDP is no TCP", &tcp_only, udp(v6, 1), 100),
        ("ping", &icmp, ping(v4), 7),
        ("ping over IPv6", &icmp, ping(v6), 7),
        ("a port", &dns, udp(v4, 53), 8),
        ("the last of a range", &dns, udp(v4, 8010), 8),
        ("beyond the range", &dns, udp(v4, 8011), 100),
        ("TCP to the port", &dns, tcp(v4, 53, SYN), 100),
        (
            "a later fragment has no port",
            &dns,
            udp(v4, 53).fragment(9),
            100,
        ),
        ("by port", &by_port, udp(v4, 9), 9),
        ("by port, without one", &by_port, ping(v4), 100),
        ("everything", &all, ping(v6), 10),
        (
            "even an unknown protocol",
            &all,
            Packet::of(v4, 99, vec![]),
            10,
        ),
    ] {
        // A bench for each, so that the budget is full.
        let bench = Bench::new();
        assert_eq!(
            passed(&bench, &with(vec![limit.clone()]), &packet),
            expected,
            "{what}"
        );
    }
}

#[test]
fn a_key_tells_budgets_apart() {
    needs_root!();
    let bench = Bench::new();
    for (key, other_source, other_port) in [
        (PacketKey::None, 0, 0),
        (PacketKey::Source, 5, 0),
        (PacketKey::Port, 0, 5),
        (PacketKey::SourcePort, 5, 5),
    ] {
        let rules = with(vec![limit(&format!("{key:?}"), key, 5)]);
        assert_eq!(
            passed(&bench, &rules, &udp("198.51.100.7", 1)),
            5,
            "{key:?}"
        );
        let other = passed(&bench, &rules, &udp("198.51.100.8", 1));
        assert_eq!(other, other_source, "{key:?}: another source");
        let other = passed(&bench, &rules, &udp("198.51.100.7", 2));
        assert_eq!(other, other_port, "{key:?}: another port");
    }
}

#[test]
fn a_limit_of_nothing_drops_the_first_packet() {
    needs_root!();
    let bench = Bench::new();
    let closed = PacketLimit {
        matches: PacketMatch {
            ports: vec![8001..=8001],
            ..PacketMatch::default()
        },
        quota: Quota::CLOSED,
        ..limit("port:8001", PacketKey::None, 0)
    };
    let rules = with(vec![closed]);
    assert_eq!(passed(&bench, &rules, &tcp("198.51.100.7", 8001, SYN)), 0);
    assert_eq!(passed(&bench, &rules, &tcp("198.51.100.7", 8000, SYN)), 100);
}

#[test]
fn a_refused_packet_is_given_back_by_every_other_limit() {
    needs_root!();
    let bench = Bench::new();
    let limits = vec![
        limit("wide", PacketKey::Source, 50),
        limit("port", PacketKey::SourcePort, 60),
        limit("narrow", PacketKey::None, 20),
    ];
    let packet = udp("198.51.100.7", 53);
    assert_eq!(passed(&bench, &with(limits.clone()), &packet), 20);
    // The eighty that the narrow one refused left no trace in the wide one.
    assert_eq!(passed(&bench, &with(limits[..2].to_vec()), &packet), 30);
    assert_eq!(passed(&bench, &with(limits[1..2].to_vec()), &packet), 10);
}

#[test]
fn sixteen_limits_work_and_a_seventeenth_is_refused() {
    needs_root!();
    let bench = Bench::new();
    let limits: Vec<_> = (0..17)
        .map(|index| limit(&format!("limit {index}"), PacketKey::Source, 100 - index))
        .collect();
    let packet = udp("198.51.100.7", 53);
    assert_eq!(passed(&bench, &with(limits[..16].to_vec()), &packet), 85);
    let error = bench.filter.load(&with(limits)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "17 packet limits, at most 16 are possible"
    );
}

#[test]
fn limits_keep_state_and_counters_with_their_name_and_inherit_none() {
    needs_root!();
    let bench = Bench::new();
    let packet = udp("198.51.100.7", 53).bytes();
    let send = |limits: Vec<PacketLimit>| {
        let program = bench.load(&with(limits));
        for _ in 0..10 {
            bench.send(&program, &packet);
        }
        bench.filter.switch(program).unwrap();
        bench.filter.counters().unwrap().limits
    };
    let counted = |name: &str, admitted, dropped| LimitCounters {
        name: name.to_owned(),
        admitted,
        dropped,
        shadowed: 0,
        cookies: 0,
    };
    let kept = limit("kept", PacketKey::Source, 15);
    assert_eq!(send(vec![kept.clone()]), [counted("kept", 10, 0)]);
    // More names than there are slots pass by, some of them twice.
    for round in 0..100 {
        let name = format!("round {round}");
        let limits = send(vec![limit(&name, PacketKey::Source, 4)]);
        assert_eq!(limits, [counted(&name, 4, 6)]);
    }
    let limits = send(vec![limit("other", PacketKey::Source, 99), kept.clone()]);
    assert_eq!(limits[0], counted("other", 5, 0));
    // Its slot was needed by others meanwhile, but its budget was not: five were left.
    assert_eq!(limits[1].dropped, 5);
    assert_eq!(send(vec![kept])[0].dropped, 15);
}

#[test]
fn a_large_limit_goes_by_the_tick_and_a_small_one_beside_it_has_both_exact() {
    needs_root!();
    let bench = Bench::new();
    let of = |name, burst, port| PacketLimit {
        matches: PacketMatch {
            ports: vec![port..=port],
            ..PacketMatch::default()
        },
        ..PacketLimit::new(
            name,
            PacketKey::Source,
            Quota::new(1000, Nanos::SECOND, burst),
        )
    };
    let lag = Nanos::from_millis(10);
    let limits = vec![of("large", 2000, 1), of("small", 999, 2)];
    let program = bench.load(&Rules {
        lag,
        ..with(limits)
    });
    let passed = |port| {
        let bytes = udp("198.51.100.7", port).bytes();
        let passes = |_: &u32| bench.send(&program, &bytes) == Reason::Passed;
        (0..3000).filter(passes).count()
    };
    assert_eq!(passed(1), 1990, "ten milliseconds' worth is not lent");
    assert_eq!(passed(2), 999);
    // The clock that is turned is both clocks; the one of ticks is taken for what it may be at the latest.
    bench.filter.turn_clock(Nanos::from_millis(1100));
    assert_eq!(passed(1), 100, "the rate is what it was");
    assert_eq!(passed(2), 100);
}

#[test]
fn by_the_tick_of_the_real_clock_nothing_is_admitted_beyond_the_quota() {
    needs_root!();
    let bench = Bench::new();
    let (rate, burst) = (100_000, 200_000);
    let quota = Quota::new(rate, Nanos::SECOND, burst);
    let rules = Rules {
        lag: floodwall_xdp::lag(),
        ..with(vec![PacketLimit::new("large", PacketKey::Source, quota)])
    };
    let program = bench.filter.load(&rules).unwrap();
    let bytes = udp("198.51.100.7", 1).bytes();
    let begun = Instant::now();
    let allowed = || burst + rate * u64::try_from(begun.elapsed().as_millis()).unwrap() / 1000;
    let mut least = 0;
    for _ in 0..8 {
        // What is allowed by now and not yet spent is less than what the run asks for.
        least = allowed();
        program.test_run(&bytes, 100_000).unwrap();
    }
    let reasons = bench.filter.counters().unwrap().reasons;
    let passed = reasons.iter().find(|each| each.reason == Reason::Passed);
    let admitted = passed.unwrap().packets;
    assert!(
        admitted <= allowed() + rate / 1000,
        "{admitted} of {}",
        allowed()
    );
    assert!(admitted >= least / 100 * 99, "{admitted} of {least}");
}
