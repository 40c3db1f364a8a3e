//! `make demo`, played quickly: its numbers are what it promises, and nothing of it stays behind.
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

use floodwall_tests::{eventually, needs_root};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

fn demo() -> Command {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.arg("--quick").stdin(Stdio::null());
    demo
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Network namespaces of a process, by the name that the harness gives them.
fn namespaces_of(pid: u32) -> Vec<String> {
    let prefix = format!("floodwall-{pid}-");
    let names = std::fs::read_dir("/run/netns")
        .into_iter()
        .flatten()
        .flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

#[test]
fn the_attacker_vanishes_into_the_kernel_and_the_good_client_stays() {
    needs_root!();
    let output = demo()
        .arg("--json")
        .output()
        .expect("the demonstration runs");
    assert!(output.status.success(), "{}", text(&output));
    let account: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{account:#}"));
    assert_eq!(account["in_the_kernel"], true);
    for good in ["good_before", "good_during"] {
        let good = &account[good];
        assert_eq!(good["served"], good["requests"], "{account:#}");
        assert!(number(&good["requests"]) >= 10.0, "{account:#}");
    }
    let attack = &account["attack"];
    let seconds = number(&attack["seconds_until_blocked"]);
    assert!(
        number(&attack["admitted"]) <= 50.0 + 50.0 * seconds,
        "{account:#}"
    );
    assert_eq!(
        number(&attack["refused"]),
        200.0,
        "the 200th blocks: {account:#}"
    );
    assert!(number(&attack["unanswered"]) > 0.0, "{account:#}");
    assert!(number(&account["dropped_packets"]) > 1000.0, "{account:#}");
    assert_eq!(
        number(&account["turned_away"]),
        0.0,
        "nothing of it came through: {account:#}"
    );
}

#[test]
fn into_a_pipe_it_writes_lines_and_a_summary() {
    let output = demo().output().expect("the demonstration runs");
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "a quiet day",
        "an attack rises",
        "blocked: it is gone",
        "The good client was served",
        "The attacker was admitted",
    ] {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    assert!(!said.contains('\x1b'), "{said}");
}

#[test]
fn an_interrupt_ends_it_and_leaves_nothing() {
    needs_root!();
    let mut running = demo()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the demonstration runs");
    let pid = running.id();
    eventually!(namespaces_of(pid).len() >= 4, within Duration::from_secs(20));
    let signalled = Pid::from_raw(i32::try_from(pid).expect("a small number"));
    kill(signalled, Signal::SIGINT).expect("it still runs");
    let ended = running.wait().expect("a child can be waited for");
    assert_eq!(ended.code(), Some(130));
    assert_eq!(namespaces_of(pid), [""; 0]);
}
