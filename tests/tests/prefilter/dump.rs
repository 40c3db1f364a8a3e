//! `prefilter dump`: the rules in words, and what becomes of the packets of a capture.

use std::{fs, net::Ipv4Addr, path::Path};

use floodwall_tests::{Floodwall, Instance, Launch, Wire, Yaml, needs_root};
use serde_json::Value;

use crate::frame::{ACK, SYN, tcp, udp};

const EDGE: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
const GOOD: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 3);
const ATTACKER: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);
const DENIED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

fn yaml(instance: &Instance) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: 0.0.0.0:8080 } }
routes: [{ name: all, respond: { body: ok } }]
prefilter:
  interfaces: [eth0]
  instance: INSTANCE
  table: { sources: 2000 }
  deny: [203.0.113.0/24]
  fragments: drop
  limits:
    dns: { match: { protocol: udp, ports: [53] }, key: source, rate: 1/s, burst: 2 }
    watch: { match: { protocol: udp }, key: none, rate: 1/h, burst: 1, shadow: true }
",
    )
    .with("INSTANCE", instance)
}

/// A capture with a packet every tenth of a second (pcap, version 2.4, microseconds).
fn capture(path: &Path, frames: &[Vec<u8>]) {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (at, frame) in (0_u32..).zip(frames) {
        let length = u32::try_from(frame.len()).expect("a short frame");
        let micros = at * 100_000;
        for word in [
            1_000 + micros / 1_000_000,
            micros % 1_000_000,
            length,
            length,
        ] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    fs::write(path, file).expect("the folder takes files");
}

/// The frames of the test, each with what becomes of it: verdict, reason, limit.
fn frames() -> Vec<(Vec<u8>, [&'static str; 3])> {
    let dns = udp(GOOD, EDGE, 53, 20);
    let mut fragment = udp(GOOD, EDGE, 53, 24);
    // More fragments; the header's checksum is none of the filter's business.
    fragment[20] = 0x20;
    let mut short = udp(GOOD, EDGE, 53, 20);
    short.truncate(30);
    let mut long = udp(GOOD, EDGE, 80, 20);
    long[17] = 200;
    let mut arp = vec![0xff; 42];
    arp[12..14].copy_from_slice(&[8, 6]);
    let loopback = Ipv4Addr::LOCALHOST;
    vec![
        (tcp(GOOD, EDGE, 8080, SYN), ["pass", "passed", ""]),
        (tcp(DENIED, EDGE, 8080, SYN), ["drop", "denied", ""]),
        (tcp(GOOD, EDGE, 8080, 0), ["drop", "tcp-flags", ""]),
        (tcp(EDGE, EDGE, 8080, ACK), ["drop", "land", ""]),
        (tcp(loopback, EDGE, 8080, ACK), ["drop", "martian", ""]),
        (short, ["drop", "malformed", ""]),
        (long, ["drop", "bad-length", ""]),
        (fragment, ["drop", "fragment", ""]),
        (arp, ["pass", "not-ip", ""]),
        (dns.clone(), ["pass", "passed", ""]),
        (dns.clone(), ["pass", "passed", ""]),
        (dns.clone(), ["drop", "limited", "dns"]),
        (udp(ATTACKER, EDGE, 53, 20), ["pass", "passed", ""]),
    ]
}

fn fates(dump: &Value) -> Vec<[String; 3]> {
    let packets = dump["packets"].as_array().expect("a list");
    let word = |packet: &Value, key: &str| packet[key].as_str().unwrap_or_default().to_owned();
    packets
        .iter()
        .map(|packet| ["verdict", "reason", "limit"].map(|key| word(packet, key)))
        .collect()
}

#[test]
fn a_capture_runs_through_the_rules_of_a_file_and_of_the_service() {
    needs_root!();
    let wire = Wire::new();
    let edge = wire.host(&["10.78.0.1/24"]);
    let instance = Instance::claim();
    let floodwall = Launch::default().on(&edge).start(&yaml(&instance));
    let pcap = floodwall.folder().join("odd.pcap");
    let (packets, mut expected): (Vec<_>, Vec<_>) = frames().into_iter().unzip();
    capture(&pcap, &packets);
    let pcap = pcap.to_str().expect("a folder in plain letters");
    let ask = || {
        let asked = ["prefilter", "dump", "--json", "--pcap", pcap];
        edge.run(|| floodwall.json(&asked))
    };
    let before = floodwall.status();
    let dump = ask();
    assert_eq!(dump["running"], true);
    assert_eq!(fates(&dump), expected, "{dump:#}");
    let first = &dump["packets"][0];
    assert_eq!(
        (&first["source"], &first["destination"], &first["port"]),
        (&"10.78.0.3".into(), &"10.78.0.1".into(), &8080.into())
    );
    assert_eq!(
        dump["packets"][10]["shadowed"],
        serde_json::json!(["watch"])
    );
    // Asked again, the answer is the same: nobody's budget was charged.
    assert_eq!(fates(&ask()), expected);
    let after = floodwall.status();
    assert_eq!(after["prefilter"]["limits"], before["prefilter"]["limits"]);

    // The running service's blocks count too.
    let answer = floodwall.ask(&["blocks", "add", &GOOD.to_string(), "--for", "1m"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(fates(&ask())[0], ["drop", "blocked", ""]);

    // Without the service the same file speaks for itself.
    let file = floodwall.folder().join("alone.yaml");
    let alone = yaml(&Instance::claim()).and("admin: { socket: nobody.sock }\n");
    fs::write(&file, alone.text()).expect("the folder takes files");
    let file = file.to_str().expect("a folder in plain letters");
    let asked = ["prefilter", "dump", "-c", file, "--json", "--pcap", pcap];
    let answer = edge.run(|| Floodwall::command(&asked));
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let dump: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(dump["running"], false);
    expected.truncate(fates(&dump).len());
    assert_eq!(fates(&dump), expected);
}

#[test]
fn rules_are_told_in_words() {
    needs_root!();
    let wire = Wire::new();
    let edge = wire.host(&["10.78.0.1/24"]);
    let instance = Instance::claim();
    let floodwall = Launch::default().on(&edge).start(&yaml(&instance));
    let answer = floodwall.ask(&["prefilter", "dump"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    for words in [
        "yes: these are the running service's rules",
        "fragments    drop",
        "dns: UDP to port 53, by source, 1/s burst 2 packets",
        "watch (shadow: drops nothing): UDP, by nothing: one budget for all, 1/h burst 1 packets",
    ] {
        assert!(answer.stdout.contains(words), "{words}\n{}", answer.stdout);
    }
    let no_capture = floodwall.folder().join("floodwall.yaml");
    let no_capture = no_capture.to_str().expect("a folder in plain letters");
    let answer = floodwall.ask(&["prefilter", "dump", "--pcap", no_capture]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.stderr.contains("is neither pcap nor pcapng"),
        "{}",
        answer.stderr
    );
}
