//! Who is in: listed, applied, deleted, and kept through damage.

use std::fs;

use floodwall_tests::{Floodwall, Loopback};

use super::{KEY, ask, sale};

#[test]
fn lists_are_applied_at_once_and_deleted_at_once() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&sale(web, &format!("{KEY}, max_admitted: 3, admit: 0%")));
    assert_eq!(ask(web, "user1").status, 403);
    let file = floodwall.folder().join("in.yaml");
    fs::write(&file, "id/user1: \"true\"\n\"id/a b\": \"true\"\n").unwrap();
    let file = file.to_str().expect("a plain path");
    let apply = || floodwall.ask(&["gate", "apply", "laptop", file]);
    assert_eq!(apply().stdout, "let in: 2\n");
    assert_eq!(apply().stdout, "let in: 0\n");
    assert_eq!(
        (ask(web, "user1").status, ask(web, "a b").status),
        (200, 200)
    );
    let list = floodwall.ask(&["gate", "list", "laptop"]).stdout;
    assert_eq!(list, "\"id/a b\": \"true\"\nid/user1: \"true\"\n");
    assert_eq!(
        floodwall.ask(&["gate", "delete", "laptop"]).stdout,
        "put out: 2\n"
    );
    assert_eq!(ask(web, "user1").status, 403);
    let unknown = floodwall.ask(&["gate", "list", "phone"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown
            .stderr
            .contains("there is no gate phone; the file has: laptop"),
        "{unknown:?}"
    );
    fs::write(file, "user1: yes\n").unwrap();
    let wrong = apply();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("the key `user1`"), "{wrong:?}");
}

#[test]
fn a_damaged_file_is_set_aside_and_said() {
    let web = Loopback::free();
    let mut floodwall = Floodwall::start(&sale(web, KEY));
    assert_eq!(ask(web, "ann").status, 200);
    floodwall.kill();
    let state = floodwall.folder().join("state");
    fs::write(state.join("gates.redb"), "no database").unwrap();
    floodwall.start_again();
    assert_eq!(ask(web, "ann").status, 200);
    assert!(state.join("gates.redb.damaged").exists());
    assert!(
        floodwall.log().contains("gates.redb is damaged"),
        "{}",
        floodwall.log()
    );
}

#[test]
fn a_file_that_is_damaged_again_is_set_aside_beside_the_first() {
    let web = Loopback::free();
    let mut floodwall = Floodwall::start(&sale(web, KEY));
    let file = floodwall.folder().join("state/gates.redb");
    assert_eq!(ask(web, "ann").status, 200);
    floodwall.kill();
    let whole = fs::read(&file).unwrap();
    let half = |length: usize| whole[..length].to_vec();
    let mut torn = whole.clone();
    let middle = torn.len() / 2;
    torn[..middle].reverse();
    let damages = [
        half(whole.len() / 2),
        half(4096),
        half(100),
        torn,
        vec![0xff; 1 << 20],
        b"-- MySQL dump".to_vec(),
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        fs::write(&file, damage).unwrap();
        floodwall.start_again();
        assert_eq!(ask(web, "ann").status, 200, "damage {at}");
        assert_eq!(ask(web, "ann").status, 200);
        assert_eq!(floodwall.status()["gates"][0]["kept"], true);
        floodwall.kill();
        let name = match at {
            0 => "gates.redb.damaged".to_owned(),
            _ => format!("gates.redb.damaged.{}", at + 1),
        };
        assert!(file.with_file_name(&name).exists(), "{name}");
    }
}
