//! SYNs above a limit's rate that are answered with a SYN cookie.

use std::{fs, net::TcpListener};

use floodwall_limiter::{Nanos, Quota};
use floodwall_xdp::{
    LimitCounters, Loaded, Opens, Outcome, Over, PacketKey, PacketLimit, PacketMatch, Reason, Rules,
};
use nix::sched::{CloneFlags, unshare};

use super::{
    answer,
    budgets::limit,
    harness::{Bench, needs_root, rules},
    packet::{ACK, FIN, Packet, SYN, tcp},
};

const V4: &str = "198.51.100.7";
const V6: &str = "2001:db8:7::7";
const VLAN: u16 = 0x8100;
const SEQUENCE: u32 = 0xffff_ffff;

/// A host whose limit of SYNs has room for none, and that listens on port 443.
struct Scene {
    bench: Bench,
    program: Loaded,
    listener: TcpListener,
}

impl Scene {
    /// In a network namespace of its own, with this `net.ipv4.tcp_syncookies`.
    fn new(cookies: &str) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        fs::write("/proc/sys/net/ipv4/tcp_syncookies", cookies).unwrap();
        let bench = Bench::new();
        let program = bench.load(&Rules {
            limits: vec![closed("syn", Over::Cookie)],
            listener_ports: vec![443, 8443],
            ..rules()
        });
        Self {
            bench,
            program,
            // Of both IP versions.
            listener: TcpListener::bind("[::]:443").unwrap(),
        }
    }

    fn send(&self, frame: &[u8]) -> (Reason, Outcome, Vec<u8>) {
        let run = || self.program.test_run(frame, 1).unwrap();
        let (reason, run) = self.bench.decided(run);
        (reason, run.action, run.frame)
    }
}

fn closed(name: &str, over: Over) -> PacketLimit {
    PacketLimit {
        matches: PacketMatch {
            opens: Some(Opens::Tcp),
            ..PacketMatch::default()
        },
        over,
        ..PacketLimit::new(name, PacketKey::None, Quota::CLOSED)
    }
}

/// A SYN with these options, of which the text may be behind.
fn syn(from: &str, options: &[u8], text: usize) -> Packet {
    let mut packet = tcp(from, 443, SYN);
    packet.payload[4..8].copy_from_slice(&SEQUENCE.to_be_bytes());
    packet.payload[12] = u8::try_from((20 + options.len()) / 4).unwrap() << 4;
    packet.payload.extend(options);
    packet.payload.resize(20 + options.len() + text, 7);
    packet
}

fn mss(size: u16) -> Vec<u8> {
    [&[2, 4], size.to_be_bytes().as_slice()].concat()
}

/// Checks what is the same in every SYN-ACK, and tells its segment size and its cookie.
fn read(answer: &[u8], question: &[u8], tags: usize) -> (u16, u32) {
    let segment = answer::segment(answer, question, tags, 24);
    assert_eq!(answer::word(segment, 8), SEQUENCE.wrapping_add(1));
    assert_eq!(segment[13], SYN | ACK);
    assert_eq!(segment[14..16], 29_200_u16.to_be_bytes(), "the window");
    assert_eq!(segment[20..22], [2, 4], "the segment size");
    let size = u16::from_be_bytes([segment[22], segment[23]]);
    (size, answer::word(segment, 4))
}

#[test]
fn a_syn_above_the_rate_is_answered_with_a_cookie() {
    needs_root!();
    let scene = Scene::new("2");
    let plain = |from| syn(from, &[], 0);
    // As Linux says it: the segment size, selective acknowledgement, timestamps, window scaling.
    let linux = [
        mss(1460).as_slice(),
        &[4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7],
    ]
    .concat();
    let longest = [mss(9000).as_slice(), &[1; 36]].concat();
    // The kernel remembers one of four sizes for each IP version; a client that says none takes 536 bytes,
    // or what the smallest of links lets through.
    let cases = [
        ("bare", plain(V4), 0, 536),
        ("bare over IPv6", plain(V6), 0, 1220),
        ("as from Linux", syn(V4, &linux, 0), 0, 1460),
        ("as from Linux over IPv6", syn(V6, &linux, 0), 0, 1440),
        ("small segments", syn(V4, &mss(1300), 0), 0, 1300),
        ("jumbo frames", syn(V4, &longest, 0), 0, 1460),
        ("jumbo frames over IPv6", syn(V6, &longest, 0), 0, 1440),
        ("text", syn(V4, &mss(1460), 100), 0, 1460),
        ("more than a buffer", syn(V6, &linux, 5000), 0, 1440),
        ("a tag", plain(V4).tagged(&[VLAN]), 1, 536),
        (
            "a tag over IPv6",
            syn(V6, &linux, 0).tagged(&[VLAN]),
            1,
            1440,
        ),
        (
            "two tags",
            syn(V4, &linux, 0).tagged(&[0x88a8, VLAN]),
            2,
            1460,
        ),
        ("IP options", syn(V4, &linux, 0).with_options(40), 0, 1460),
        (
            "extension headers",
            syn(V6, &linux, 3).behind(60, &[0; 7]).behind(0, &[0; 7]),
            0,
            1440,
        ),
    ];
    let count = cases.len() as u64;
    for (what, packet, tags, size) in cases {
        let question = packet.bytes();
        let (reason, action, answer) = scene.send(&question);
        assert_eq!(
            (reason, action),
            (Reason::Cookie, Outcome::Answer),
            "{what}"
        );
        let (mss, cookie) = read(&answer, &question, tags);
        assert_eq!(mss, size, "{what}");
        let (.., again) = scene.send(&question);
        // The upper eight bits count minutes, so that both are one number but for one time in millions.
        assert_eq!(
            read(&again, &question, tags).1,
            cookie,
            "{what}: kept nowhere"
        );
    }
    scene.bench.filter.switch(scene.program).unwrap();
    let counters = scene.bench.filter.counters().unwrap();
    assert_eq!(counters.of(Reason::Cookie), 2 * count);
    assert_eq!(counters.of(Reason::Limited), 0);
    let counted = LimitCounters {
        name: "syn".into(),
        admitted: 0,
        dropped: 0,
        shadowed: 0,
        cookies: 2 * count,
    };
    assert_eq!(counters.limits, [counted]);
}

#[test]
fn what_nobody_listens_for_is_dropped() {
    needs_root!();
    let scene = Scene::new("2");
    let group = {
        let mut frame = syn(V4, &[], 0).bytes();
        frame[0] |= 1;
        frame
    };
    let to = |port: u16| {
        let mut packet = syn(V4, &[], 0);
        packet.payload[2..4].copy_from_slice(&port.to_be_bytes());
        packet.bytes()
    };
    let mut short = syn(V4, &[], 0);
    short.payload[12] = 4 << 4;
    let mut long = syn(V6, &[], 0);
    long.payload[12] = 15 << 4;
    let cases = [
        ("no listener's port", to(80)),
        ("a listener's port, but nobody listens", to(8443)),
        ("a first fragment", syn(V4, &[], 4).fragment(0x2000).bytes()),
        ("to a group", group),
    ];
    let count = cases.len() as u64;
    for (what, frame) in cases {
        let (reason, action, _) = scene.send(&frame);
        assert_eq!((reason, action), (Reason::Limited, Outcome::Drop), "{what}");
    }
    for (what, packet) in [
        ("a header too short", short),
        ("a header longer than the packet", long),
    ] {
        let (reason, action, _) = scene.send(&packet.bytes());
        assert_eq!(
            (reason, action),
            (Reason::BadLength, Outcome::Drop),
            "{what}"
        );
    }
    let Scene {
        bench,
        program,
        listener,
    } = scene;
    drop(listener);
    let late = syn(V4, &[], 0).bytes();
    assert_eq!(
        bench.send(&program, &late),
        Reason::Limited,
        "it has closed"
    );
    bench.filter.switch(program).unwrap();
    let counters = bench.filter.counters().unwrap();
    assert_eq!(counters.of(Reason::Cookie), 0);
    let limit = &counters.limits[0];
    assert_eq!((limit.dropped, limit.cookies), (count + 1, 0));
}

#[test]
fn a_listener_that_gives_no_cookies_gets_none() {
    needs_root!();
    // With one it would give some while its queue is full.
    for cookies in ["0", "1"] {
        let scene = Scene::new(cookies);
        let (reason, action, _) = scene.send(&syn(V4, &mss(1460), 0).bytes());
        assert_eq!(
            (reason, action),
            (Reason::Limited, Outcome::Drop),
            "{cookies}"
        );
    }
}

#[test]
fn only_a_limit_that_says_so_answers_and_only_above_its_rate() {
    needs_root!();
    let scene = Scene::new("2");
    let bench = &scene.bench;
    let cookie = |name: &str, burst| PacketLimit {
        quota: Quota::new(1, Nanos::from_secs(3600), burst),
        ..closed(name, Over::Cookie)
    };
    let program = bench.load(&Rules {
        limits: vec![cookie("cookies", 2), closed("dropped", Over::Drop)],
        ..rules()
    });
    let frame = syn(V4, &mss(1460), 0).bytes();
    // What the first admits the second refuses, which gives the first its own back.
    assert_eq!(bench.send(&program, &frame), Reason::Limited);
    let program = bench.load(&Rules {
        limits: vec![limit("roomy", PacketKey::Source, 100), cookie("cookies", 2)],
        ..rules()
    });
    let sent = [(); 4].map(|()| bench.send(&program, &frame));
    let expected = [
        Reason::Passed,
        Reason::Passed,
        Reason::Cookie,
        Reason::Cookie,
    ];
    assert_eq!(sent, expected);
    let ack = tcp(V4, 443, ACK).bytes();
    assert_eq!(bench.send(&program, &ack), Reason::Passed, "no SYN");
    let fin = tcp(V4, 443, SYN | FIN).bytes();
    assert_eq!(bench.send(&program, &fin), Reason::TcpFlags);
    bench.filter.switch(program).unwrap();
    let limits = bench.filter.counters().unwrap().limits;
    let counts = limits
        .iter()
        .map(|each| (each.admitted, each.dropped, each.cookies));
    assert_eq!(counts.collect::<Vec<_>>(), [(3, 0, 0), (2, 0, 2)]);
}
