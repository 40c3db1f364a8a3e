//! Packets that a tool of others builds: what becomes of each, in a capture and on the wire.

use std::{collections::BTreeMap, path::Path, process::Command};

use floodwall_tests::{Floodwall, needs_root, wait};
use serde_json::Value;

use crate::edge::{MODES, Scene};

/// The library belongs to the distribution's Python.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prefilter/packets.py");

/// Every check on, both lists, and a limit that admits nothing to one port.
const RULES: &[&str] = &[
    "fragments: drop",
    "deny: [203.0.113.0/24, 2001:db8:bad::/48]",
    "allow: [192.0.2.0/24, 2001:db8:bad:1::/64]",
    "limits: { closed: { match: { protocol: udp, ports: [9998] }, key: source, rate: 0/s } }",
];

/// How many packets there are for each reason.
type Counts = BTreeMap<String, u64>;

/// Runs the script and tells what it prints.
fn script(arguments: &[&str]) -> Value {
    let mut python = Command::new(PYTHON);
    let output = python.arg(SCRIPT).args(arguments).output();
    let output = output.expect("python3 is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3-scapy is needed: {errors}");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// A file of a folder, as a word for a command.
fn file(folder: &Path, name: &str) -> String {
    folder
        .join(name)
        .to_str()
        .expect("plain letters")
        .to_owned()
}

fn word(value: &Value) -> String {
    value.as_str().expect("a word").to_owned()
}

fn counted<'a>(reasons: impl Iterator<Item = &'a Value>) -> Counts {
    let mut counts = Counts::new();
    for reason in reasons {
        *counts.entry(word(reason)).or_default() += 1;
    }
    counts
}

/// Sends from the other end of the edge's cable, for a switch passes no packets on that are as bad as some of these.
fn send(scene: &Scene, capture: &str) -> u64 {
    let plug = scene.wire.plug(&scene.edge);
    let switch = scene.wire.switch();
    switch
        .run(|| script(&["send", capture, &plug]))
        .as_u64()
        .expect("a number")
}

/// All that was counted, by reason.
fn counts(floodwall: &Floodwall<'_>) -> Counts {
    let status = floodwall.status();
    let counts = status["prefilter"]["packets"].as_array();
    let count = |each: &Value| (word(&each["reason"]), each["packets"].as_u64().unwrap_or(0));
    counts.expect("counts").iter().map(count).collect()
}

/// What was counted after `before`, without what hosts say of themselves all the time.
fn since(before: &Counts, floodwall: &Floodwall<'_>) -> Counts {
    let mut now = counts(floodwall);
    now.retain(|reason, count| {
        *count -= before.get(reason).copied().unwrap_or(0);
        *count > 0 && !is_everyday(reason)
    });
    now
}

fn is_everyday(reason: &str) -> bool {
    ["passed", "not-ip", "neighbour-discovery", "essential"].contains(&reason)
}

#[test]
fn a_capture_by_scapy_has_the_fates_that_its_author_expects() {
    needs_root!();
    let scene = Scene::new();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let expected = script(&[&file(folder, "")]);
    let floodwall = scene.start("native", RULES);
    for name in ["packets.pcap", "packets.pcapng"] {
        let asked = ["prefilter", "dump", "--json", "--pcap", &file(folder, name)];
        let dump = scene.edge.run(|| floodwall.json(&asked));
        let packets = dump["packets"].as_array().expect("packets");
        let expected = expected.as_array().expect("rows");
        assert_eq!(packets.len(), expected.len());
        for (packet, row) in packets.iter().zip(expected) {
            assert_eq!(packet["reason"], row["reason"], "{name}: {row}: {packet:#}");
        }
    }
}

#[test]
fn what_scapy_sends_is_counted_as_its_author_expects() {
    needs_root!();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let rows = script(&[&file(folder, "")]);
    let rows = rows.as_array().expect("rows");
    let mut expected = counted(rows.iter().map(|row| &row["reason"]));
    expected.retain(|reason, _| !is_everyday(reason));
    for mode in MODES {
        let scene = Scene::new();
        let floodwall = scene.start(mode, RULES);
        let before = counts(&floodwall);
        send(&scene, &file(folder, "packets.pcap"));
        let even = wait::until(wait::PATIENCE, || {
            (since(&before, &floodwall) == expected).then_some(())
        });
        assert!(
            even.is_some(),
            "{mode}: {:?} instead of {expected:?}",
            since(&before, &floodwall)
        );
        let kept: u64 = rows
            .iter()
            .map(|row| u64::from(is_everyday(&word(&row["reason"]))))
            .sum();
        let all: u64 = counts(&floodwall).values().sum();
        let earlier: u64 = before.values().sum();
        let others: u64 = expected.values().sum();
        assert!(all - earlier >= kept + others, "{mode}");
    }
}

/// Fields at random: whatever they come to, each packet is counted once.
#[test]
fn noise_of_scapy_is_counted_packet_by_packet() {
    needs_root!();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    script(&[&file(folder, "")]);
    let noise = file(folder, "noise.pcap");
    for mode in MODES {
        let scene = Scene::new();
        let delivered = || scene.wire.delivered(&scene.edge);
        let floodwall = scene.start(mode, RULES);
        let sum = || counts(&floodwall).values().sum::<u64>();
        // Nothing is on its way when the wire has carried nothing while the program was asked.
        let quiet = || {
            let (wire, met) = (delivered(), sum());
            (delivered() == wire).then_some((wire, met))
        };
        let (sent_before, met_before) = wait::until(wait::PATIENCE, quiet).expect("a quiet wire");
        let sent = send(&scene, &noise);
        let even = wait::until(wait::PATIENCE, || {
            let (wire, met) = (delivered() - sent_before, sum() - met_before);
            (wire == met && met >= sent).then_some(())
        });
        assert!(
            even.is_some(),
            "{mode}: {sent} sent, {} on the wire, {} counted",
            delivered() - sent_before,
            sum() - met_before
        );
    }
}
