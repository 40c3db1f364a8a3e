//! A state folder that takes nothing: nobody new is let in who could be forgotten, and whoever is in stays in.

use std::net::SocketAddr;

use floodwall_tests::{Floodwall, Loopback, SmallDisk, Yaml, eventually, needs_root};
use tempfile::TempDir;

use super::{KEY, ask, sale};

/// A sale whose state is on a disk of its own.
fn sale_on_a_small_disk(web: SocketAddr) -> (Yaml, SmallDisk, TempDir) {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    let yaml = sale(web, KEY).with("state: state", format!("state: {}", state.display()));
    (yaml, SmallDisk::over(&state, 8 << 20), folder)
}

#[test]
fn on_a_full_disk_nobody_new_comes_in_and_when_there_is_room_again_they_do() {
    needs_root!();
    let web = Loopback::free();
    let (yaml, disk, _folder) = sale_on_a_small_disk(web);
    let mut floodwall = Floodwall::start(&yaml);
    assert_eq!(ask(web, "ann").status, 200);
    disk.fill();
    let mut told = vec!["ann".to_owned()];
    // Some may fit into what the database has already.
    let refused = (0..1000).map(|user| format!("user{user}")).find(|user| {
        let status = ask(web, user).status;
        if status == 200 {
            told.push(user.clone());
        }
        status == 503
    });
    let refused = refused.expect("the disk is full");
    assert_eq!(ask(web, "ann").status, 200, "who is in stays in");
    let gate = &floodwall.status()["gates"][0];
    assert_eq!(gate["kept"], false);
    let why = gate["not_kept_because"].as_str().expect("a reason");
    assert!(why.contains("gates let in nobody new"), "{why}");
    assert!(gate["refused"]["unrecorded"].as_u64() > Some(0));
    let header = "authorization:nobody-yet";
    let would = floodwall.json(&["explain", "--json", "--header", header, "/flashsale"]);
    assert_eq!(would["gate"]["would"], "cannot be recorded");

    disk.empty();
    eventually!(ask(web, &refused).status == 200);
    told.push(refused);
    assert_eq!(floodwall.status()["gates"][0]["kept"], true);
    assert!(floodwall.log().contains("gates.redb is in order again"));
    floodwall.kill();
    floodwall.start_again();
    for user in &told {
        assert_eq!(ask(web, user).status, 200, "{user}");
    }
    let list = floodwall.json(&["gate", "list", "laptop", "--json"]);
    assert_eq!(list.as_array().map(Vec::len), Some(told.len()));
}

#[test]
fn in_a_folder_that_may_only_be_read_who_is_in_stays_in() {
    needs_root!();
    let web = Loopback::free();
    let (yaml, disk, _folder) = sale_on_a_small_disk(web);
    let mut floodwall = Floodwall::start(&yaml);
    assert_eq!(ask(web, "ann").status, 200);
    floodwall.kill();
    disk.only_read(true);
    floodwall.start_again();
    assert_eq!((ask(web, "ann").status, ask(web, "bob").status), (200, 503));
    assert!(
        floodwall.log().contains("gates let in nobody new"),
        "{}",
        floodwall.log()
    );
    disk.only_read(false);
    eventually!(ask(web, "bob").status == 200);
    let names = floodwall.ask(&["gate", "list", "laptop"]).stdout;
    assert_eq!(names, "id/ann: \"true\"\nid/bob: \"true\"\n");
}

#[test]
fn on_a_disk_that_is_full_from_the_start_who_is_in_stays_in() {
    needs_root!();
    let web = Loopback::free();
    let (yaml, disk, _folder) = sale_on_a_small_disk(web);
    let mut floodwall = Floodwall::start(&yaml);
    assert_eq!(ask(web, "ann").status, 200);
    floodwall.kill();
    disk.fill();
    floodwall.start_again();
    assert_eq!(ask(web, "ann").status, 200);
    // What the database has already may be enough for one or two.
    let mut users = (0..1000).map(|user| format!("user{user}"));
    let refused = users.find(|user| ask(web, user).status == 503);
    assert!(refused.is_some(), "the disk is full");
    assert_eq!(ask(web, "ann").status, 200);
    let status = floodwall.status();
    assert_eq!(status["state"]["set_aside"], serde_json::json!([]));
    disk.empty();
    let refused = refused.expect("somebody");
    eventually!(ask(web, &refused).status == 200);
}
