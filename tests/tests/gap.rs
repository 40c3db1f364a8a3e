//! A packet is never unfiltered in between: a denied source and a good one send all the time, while the service is
//! killed, stopped, started, reloaded, and its lists are swapped.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsFd as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use floodwall_tests::{
    Floodwall, Host, Instance, Launch, Repeat, Signal, Wire, Yaml, needs_root, wait,
};
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

const EDGE: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 1);
const BAD: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);
const GOOD: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 3);
const PORT: u16 = 7777;
/// Between two packets of a source.
const PERIOD: Duration = Duration::from_micros(500);

/// An edge host, and what arrives there at one port.
struct Scene {
    edge: Host,
    bad: Host,
    good: Host,
    port: UdpSocket,
    instance: Instance,
    folder: TempDir,
    wire: Wire,
}

impl Scene {
    fn new() -> Self {
        let wire = Wire::new();
        let edge = wire.host(&["10.79.0.1/24"]);
        let bad = wire.host(&["10.79.0.2/24"]);
        let good = wire.host(&["10.79.0.3/24"]);
        let port = edge.run(|| UdpSocket::bind((EDGE, PORT)).expect("nobody else is there"));
        port.set_nonblocking(true).expect("a socket");
        // Beyond the host's bound: a packet that is lost in the queue would look like one that was dropped.
        setsockopt(&port.as_fd(), sockopt::RcvBufForce, &(64 << 20)).expect("root may");
        Self {
            edge,
            bad,
            good,
            port,
            instance: Instance::claim(),
            folder: tempfile::tempdir().expect("a folder"),
            wire,
        }
    }

    fn yaml(&self, mode: &str, limits: &str) -> Yaml {
        let instance = &self.instance;
        Yaml::new(format!(
            "listeners: {{ web: {{ address: '127.0.0.1:8080' }} }}\n\
             routes: [{{ name: all, respond: {{ status: 200 }} }}]\n\
             admin: {{ socket: floodwall.sock }}\n\
             server: {{ threads: 1 }}\n\
             prefilter:\n  interfaces: [eth0]\n  instance: {instance}\n  mode: {mode}\n  \
             table: {{ sources: 10000 }}\n  deny: [{BAD}, {{ file: '{}' }}]\n{limits}",
            self.file().display()
        ))
    }

    fn start(&self, mode: &str, limits: &str) -> Floodwall<'_> {
        self.write_list(0);
        let yaml = self.yaml(mode, limits);
        Launch::default().on(&self.edge).start(&yaml)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("bad.txt")
    }

    /// Another list each time, of some thousand networks.
    fn write_list(&self, round: usize) {
        let last = round % 250;
        let net = |index| format!("172.{}.{}.{last}/32\n", 16 + index / 250, index % 250);
        let text: String = (0..2000).map(net).collect();
        fs::write(self.file(), text).expect("the folder takes files");
    }

    fn swap_list(&self, floodwall: &Floodwall<'_>, round: usize) {
        self.write_list(round + 1);
        let answer = floodwall.reload();
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    }

    /// Counts what has arrived, by source.
    fn arrived(&self, counts: &mut Arrived) {
        let mut buffer = [0; 64];
        while let Ok((_, from)) = self.port.recv_from(&mut buffer) {
            match from.ip() {
                IpAddr::V4(BAD) => counts.bad += 1,
                IpAddr::V4(GOOD) => counts.good += 1,
                other => panic!("a packet from {other}"),
            }
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Arrived {
    bad: usize,
    good: usize,
}

/// A packet to the edge's port again and again.
fn stream(from: &Host) -> Repeat<()> {
    from.run(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        let to = SocketAddr::from((EDGE, PORT));
        Repeat::every(PERIOD, move || {
            socket.send_to(b"x", to).expect("there is a route");
        })
    })
}

/// Ends the service, by SIGKILL or by SIGTERM in turn, and starts it again.
fn restart(floodwall: &mut Floodwall<'_>, round: usize) {
    if round.is_multiple_of(2) {
        floodwall.kill();
    } else {
        floodwall.signal(Signal::SIGTERM);
        floodwall.wait(wait::PATIENCE);
    }
    floodwall.start_again();
}

fn packets(status: &Value, reason: &str) -> u64 {
    let counts = status["prefilter"]["packets"].as_array();
    let mut counts = counts.expect("counts").iter();
    let count = counts.find(|count| count["reason"] == reason);
    count
        .and_then(|count| count["packets"].as_u64())
        .expect("a reason")
}

fn no_gap_over(restarts: usize, mode: &str) {
    let scene = Scene::new();
    let mut floodwall = scene.start(mode, "");
    assert_eq!(
        floodwall.status()["prefilter"]["interfaces"][0]["mode"],
        mode
    );
    let (bad, good) = (stream(&scene.bad), stream(&scene.good));
    let mut arrived = Arrived::default();
    for round in 0..restarts {
        restart(&mut floodwall, round);
        scene.swap_list(&floodwall, round);
        scene.arrived(&mut arrived);
    }
    let (bad, good) = (bad.stop().len(), good.stop().len());
    let all = wait::until(wait::PATIENCE, || {
        scene.arrived(&mut arrived);
        (arrived.good == good).then_some(())
    });
    println!(
        "{mode}: {restarts} restarts, {bad} packets of a denied source and {good} of a good one"
    );
    assert!(all.is_some(), "of {good} packets {} arrived", arrived.good);
    assert_eq!(arrived.bad, 0, "of {bad} packets");
    let denied = packets(&floodwall.status(), "denied");
    assert_eq!(denied, u64::try_from(bad).expect("a test is short"));
}

#[test]
fn no_packet_is_unfiltered_over_a_hundred_restarts() {
    needs_root!();
    no_gap_over(100, "native");
}

#[test]
fn nor_in_the_stack() {
    needs_root!();
    no_gap_over(20, "generic");
}

#[test]
fn counters_add_up_after_a_soak_in_the_driver() {
    needs_root!();
    counters_add_up_after_a_soak("native");
}

#[test]
fn counters_add_up_after_a_soak_in_the_stack() {
    needs_root!();
    counters_add_up_after_a_soak("generic");
}

/// A mixed flood with reloads, restarts and list swaps, for `FLOODWALL_SOAK_SECONDS`, or for ten: at the end the
/// reasons add up to the packets that came in.
fn counters_add_up_after_a_soak(mode: &str) {
    let seconds = env::var("FLOODWALL_SOAK_SECONDS").map_or(10, |text| {
        text.parse().expect("FLOODWALL_SOAK_SECONDS is a number")
    });
    let scene = Scene::new();
    let before = scene.wire.delivered(&scene.edge);
    let limit = "  limits:\n    per-source: { match: { protocol: udp }, key: source, rate: 1000/s, burst: 100 }\n";
    let mut floodwall = scene.start(mode, limit);
    // What came in before the program was there met nobody.
    // While packets come in, one number is older than the other: then there is none yet.
    let unmet = |scene: &Scene, floodwall: &Floodwall<'_>| {
        let delivered = || scene.wire.delivered(&scene.edge) - before;
        let (earlier, met) = (delivered(), sum(&floodwall.status()));
        (delivered() == earlier).then(|| earlier.checked_sub(met))?
    };
    let missed = wait::until(wait::PATIENCE, || unmet(&scene, &floodwall))
        .expect("nobody sends anything yet");
    let floods = [flood(&scene.bad), flood(&scene.good), stream(&scene.good)];
    let (began, mut round) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        restart(&mut floodwall, round);
        scene.swap_list(&floodwall, round);
        floodwall.hang_up();
        scene.arrived(&mut Arrived::default());
        round += 1;
    }
    let sent: usize = floods.into_iter().map(|flood| flood.stop().len()).sum();
    let even = wait::until(wait::PATIENCE, || {
        (unmet(&scene, &floodwall) == Some(missed)).then_some(())
    });
    let status = floodwall.status();
    let delivered = scene.wire.delivered(&scene.edge) - before;
    println!(
        "{round} restarts, {sent} bursts sent, {delivered} packets delivered, {} counted",
        sum(&status)
    );
    assert!(
        even.is_some(),
        "{delivered} delivered, {missed} before the start:\n{:#}",
        status["prefilter"]
    );
    for reason in ["denied", "limited", "passed", "not-ip"] {
        assert!(
            packets(&status, reason) > 0,
            "{reason}: {:#}",
            status["prefilter"]
        );
    }
}

/// Bursts of all kinds of packets: small ones, fragmented ones, pings, bogus and cut TCP, and spoofed sources.
fn flood(from: &Host) -> Repeat<()> {
    let raw = |protocol: i32| {
        let socket = Socket::new(
            Domain::IPV4,
            Type::from(SOCK_RAW),
            Some(Protocol::from(protocol)),
        );
        socket.expect("root may send raw packets")
    };
    from.run(|| {
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        let (icmp, tcp, spoofed) = (raw(1), raw(6), raw(255));
        let to = SocketAddr::from((EDGE, PORT));
        let mut number = 0_u16;
        Repeat::every(Duration::from_millis(1), move || {
            number = number.wrapping_add(1);
            // A queue that is full is no failure: what is delivered is counted on the wire.
            let _ = udp.send_to(b"small", to);
            let _ = udp.send_to(&[0; 4000], to);
            let _ = icmp.send_to(&[8, 0, 0xf7, 0xff, 0, 0, 0, 0], &to.into());
            let _ = tcp.send_to(
                &[&[0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x50][..], &[0; 7]].concat(),
                &to.into(),
            );
            let _ = tcp.send_to(&[0, 9, 0], &to.into());
            let _ = spoofed.send_to(&datagram(number), &to.into());
        })
    })
}

/// From `<sys/socket.h>`.
const SOCK_RAW: i32 = 3;

/// A UDP packet with an IP header, from a source of its own.
fn datagram(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    // Version and length, then what the kernel fills in, time to live, UDP; from a source to the edge.
    let mut packet = vec![0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 100, 64, high, low];
    packet.extend(EDGE.octets());
    packet.extend([0, 9, 0, 9, 0, 9, 0, 0, b'x']);
    packet
}

/// All packets of the one interface, whatever the reason.
fn sum(status: &Value) -> u64 {
    let counts = status["prefilter"]["interfaces"][0]["packets"].as_array();
    let packets = counts
        .expect("counts")
        .iter()
        .map(|count| count["packets"].as_u64().expect("a number"));
    packets.sum()
}
