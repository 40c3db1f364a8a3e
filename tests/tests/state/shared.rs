//! Two processes and one folder.

use floodwall_tests::{Client, Floodwall, Loopback, Signal, eventually};

use super::Learned;

#[test]
fn the_second_says_who_has_the_folder_and_has_it_when_that_one_ends() {
    let mut first = Learned::start();
    let yaml = (first.yaml.clone()).with(&first.web.to_string(), Loopback::free());
    let second = Floodwall::start(&yaml);
    assert_eq!(second.blocks().len(), 0, "what is there is another's");
    let problems = second.status()["state"]["problems"].to_string();
    let holder = format!(
        "another floodwall, process {}, has it",
        first.floodwall.pid()
    );
    assert!(problems.contains(&holder), "{problems}");
    assert!(second.log().contains(&holder));
    let only_mine = ["blocks", "add", "192.0.2.9", "--for", "1h"];
    assert_eq!(second.ask(&only_mine).code, Some(0));
    first.block("192.0.2.8");
    eventually!(first.says("blocks.json", "192.0.2.8"));
    assert!(!first.says("blocks.json", "192.0.2.9"));

    first.floodwall.kill();
    eventually!(second.blocks().len() == 3);
    eventually!(first.says("blocks.json", "192.0.2.9"));
    assert_eq!(second.status()["state"]["problems"], serde_json::json!([]));
}

#[test]
fn a_successor_knows_it_all_from_the_start_and_keeps_the_folder() {
    let mut learned = Learned::start();
    learned.floodwall.hand_over();
    assert_eq!(learned.known(), (1, true, true));
    assert_eq!(Client::of(learned.web).get("/app").status, 503);
    eventually!(learned.state()["problems"] == serde_json::json!([]));
    learned.block("192.0.2.8");
    eventually!(learned.says("blocks.json", "192.0.2.8"));
    learned.floodwall.hand_over();
    assert_eq!(learned.known(), (2, true, true));
    let log = learned.floodwall.log();
    assert!(!log.contains("ERROR"), "nothing is wrong: {log}");
    learned.floodwall.signal(Signal::SIGTERM);
}
