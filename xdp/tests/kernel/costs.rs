//! What a limit costs whom: bytes, prefixes of its own, shadow and exceptions.

use floodwall_limiter::{Nanos, Prefixes, Quota};
use floodwall_xdp::{Cost, LimitCounters, Loaded, PacketKey, PacketLimit, Reason, Rules};

use super::{
    budgets::limit,
    harness::{Bench, needs_root, rules},
    packet::{Packet, ping, udp},
};

fn with(limits: Vec<PacketLimit>) -> Rules {
    Rules { limits, ..rules() }
}

/// UDP whose frame has so many bytes.
fn frame(from: &str, bytes: usize) -> Packet {
    let mut packet = udp(from, 53);
    packet.payload.resize(bytes - 14 - 20, 0);
    packet
}

/// How many of a hundred such packets pass.
fn passed(bench: &Bench, program: &Loaded, packet: &Packet) -> u64 {
    let packet = packet.bytes();
    let passes = |_: &usize| bench.send(program, &packet) == Reason::Passed;
    (0..100).filter(passes).count() as u64
}

#[test]
fn bytes_are_counted_by_the_whole_frame() {
    needs_root!();
    for (bytes, expected) in [
        (60, 68),
        (64, 64),
        (1024, 4),
        (1514, 2),
        (3000, 1),
        (5000, 0),
    ] {
        let bench = Bench::new();
        let program = bench.load(&with(vec![PacketLimit {
            cost: Cost::Bytes,
            quota: Cost::bytes(1, Nanos::from_secs(3600), 4096),
            ..limit("bytes", PacketKey::Source, 0)
        }]));
        // Some of them are in more than one buffer.
        let passed = passed(&bench, &program, &frame("198.51.100.7", bytes));
        assert_eq!(passed, expected, "frames of {bytes} bytes");
    }
}

#[test]
fn a_rate_of_bytes_is_kept_within_two_nanoseconds_a_packet() {
    needs_root!();
    // Ten gigabits a second: less than a nanosecond for a byte.
    let bench = Bench::new();
    let program = bench.load(&with(vec![PacketLimit {
        cost: Cost::Bytes,
        quota: Cost::bytes(1_250_000_000, Nanos::SECOND, 2048),
        ..limit("line", PacketKey::None, 0)
    }]));
    let packet = frame("198.51.100.7", 1500).bytes();
    let start = Nanos::SECOND;
    let mut admitted = 0_u64;
    for step in 0..1000 {
        bench.filter.turn_clock(start.plus(Nanos(step * 600)));
        admitted += u64::from(bench.send(&program, &packet) == Reason::Passed);
    }
    // 600 us at 1.25 GB/s are 750,000 bytes, and 2048 at once.
    let most = (750_000 + 2048) / 1500;
    assert!(admitted <= most, "{admitted} of {most}");
    assert!(admitted >= most * 99 / 100, "{admitted} of {most}");
}

#[test]
fn a_limit_may_have_prefixes_of_its_own() {
    needs_root!();
    for key in [PacketKey::Source, PacketKey::SourcePort] {
        let bench = Bench::new();
        let wide = PacketLimit {
            prefixes: Some(Prefixes { v4: 24, v6: 48 }),
            ..limit("wide", key, 10)
        };
        let program = bench.load(&with(vec![wide, limit("narrow", key, 6)]));
        for (from, expected) in [
            ("198.51.100.7", 6),
            // Four are left of the /24, and what is refused there is given back.
            ("198.51.100.8", 4),
            ("198.51.100.9", 0),
            ("198.51.101.7", 6),
            ("2001:db8:7::1", 6),
            ("2001:db8:7:0:1::1", 0),
            ("2001:db8:7:1::1", 4),
            ("2001:db8:8::1", 6),
        ] {
            let passed = passed(&bench, &program, &udp(from, 53));
            assert_eq!(passed, expected, "{from}, {key:?}");
        }
    }
}

#[test]
fn a_limit_in_shadow_counts_what_it_would_drop_and_drops_nothing() {
    needs_root!();
    let bench = Bench::new();
    let shadow = PacketLimit {
        shadow: true,
        ..limit("shadow", PacketKey::Source, 10)
    };
    let limits = vec![
        limit("first", PacketKey::Source, 60),
        shadow,
        limit("last", PacketKey::Source, 40),
    ];
    let program = bench.load(&with(limits.clone()));
    let packet = udp("198.51.100.7", 53);
    assert_eq!(passed(&bench, &program, &packet), 40);
    bench.filter.switch(program).unwrap();
    let counted = |name: &str, admitted, dropped, shadowed| LimitCounters {
        name: name.to_owned(),
        admitted,
        dropped,
        shadowed,
        cookies: 0,
    };
    // What the last one refused is given back by the first, and was never taken by the one in shadow.
    assert_eq!(
        bench.filter.counters().unwrap().limits,
        [
            counted("first", 40, 0, 0),
            counted("shadow", 10, 0, 90),
            counted("last", 40, 60, 0)
        ]
    );
    let program = bench.load(&with(limits[..1].to_vec()));
    assert_eq!(passed(&bench, &program, &packet), 20);
}

#[test]
fn a_shadow_in_front_of_a_refusal_is_given_back() {
    needs_root!();
    let bench = Bench::new();
    let shadow = PacketLimit {
        shadow: true,
        ..limit("shadow", PacketKey::Source, 10)
    };
    let closed = PacketLimit {
        quota: Quota::CLOSED,
        ..limit("closed", PacketKey::Source, 0)
    };
    let packet = udp("198.51.100.7", 53);
    let program = bench.load(&with(vec![shadow.clone(), closed]));
    assert_eq!(passed(&bench, &program, &packet), 0);
    let enforced = PacketLimit {
        shadow: false,
        ..shadow
    };
    let program = bench.load(&with(vec![enforced]));
    assert_eq!(passed(&bench, &program, &packet), 10);
}

#[test]
fn exceptions_are_by_network_and_the_longest_prefix_has_its_say() {
    needs_root!();
    let bench = Bench::new();
    let hourly = |burst| Quota::new(1, Nanos::from_secs(3600), burst);
    let nets = |nets: &[(&str, Option<u64>)]| {
        nets.iter()
            .map(|(net, burst)| (net.parse().unwrap(), burst.map(hourly)))
            .collect()
    };
    let first = PacketLimit {
        exceptions: nets(&[
            ("10.0.0.0/8", Some(20)),
            ("10.1.0.0/16", None),
            ("10.1.2.0/24", Some(5)),
            ("2001:db8::/32", Some(30)),
            ("203.0.113.0/24", None),
        ]),
        ..limit("first", PacketKey::Source, 10)
    };
    let second = PacketLimit {
        exceptions: nets(&[("10.0.0.0/8", None), ("2001:db8:1::/48", Some(7))]),
        ..limit("second", PacketKey::Source, 50)
    };
    let program = bench.load(&Rules {
        allow: vec!["203.0.113.7/32".parse().unwrap()],
        deny: vec!["203.0.113.0/25".parse().unwrap()],
        ..with(vec![first, second])
    });
    for (from, expected) in [
        ("198.51.100.7", 10),
        ("10.2.0.1", 20),
        // No limit counts it.
        ("10.1.0.1", 100),
        ("10.1.2.3", 5),
        ("2001:db8:2::1", 30),
        ("2001:db8:1::1", 7),
        ("2001:db9::1", 10),
        // Of its first limit an exception, of the second none.
        ("203.0.113.200", 50),
    ] {
        assert_eq!(passed(&bench, &program, &ping(from)), expected, "{from}");
    }
    let send = |from: &str| bench.send(&program, &ping(from).bytes());
    assert_eq!(send("203.0.113.9"), Reason::Denied);
    assert_eq!(send("203.0.113.7"), Reason::Allowed);
}

#[test]
fn a_closed_exception_drops_the_first_packet_of_its_network_alone() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&with(vec![PacketLimit {
        exceptions: vec![("198.51.100.0/24".parse().unwrap(), Some(Quota::CLOSED))],
        ..limit("limit", PacketKey::None, 50)
    }]));
    assert_eq!(passed(&bench, &program, &ping("198.51.100.7")), 0);
    assert_eq!(passed(&bench, &program, &ping("198.51.101.7")), 50);
}
