//! A folder that takes nothing.

use floodwall_tests::{Client, SmallDisk, eventually, needs_root};
use tempfile::TempDir;

use super::Learned;

fn on_a_small_disk() -> (Learned, SmallDisk) {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    let disk = SmallDisk::over(&state, 8 << 20);
    let mut learned = Learned::idle(state, folder);
    learned.learn();
    (learned, disk)
}

#[test]
fn a_full_disk_is_said_and_the_old_files_stay_until_there_is_room() {
    needs_root!();
    let (mut learned, disk) = on_a_small_disk();
    disk.fill();
    learned.block("192.0.2.8");
    let problems = || learned.state()["problems"].to_string();
    eventually!(problems().contains("blocks.json: cannot be saved: No space left"));
    let shown = learned.floodwall.ask(&["status"]).stdout;
    assert!(shown.contains("NOT KEPT: blocks.json"), "{shown}");
    assert!(learned.says("blocks.json", super::BLOCKED));
    assert_eq!(Client::of(learned.web).get("/").status, 200);
    let log = learned.floodwall.log();
    assert_eq!(
        log.matches("cannot be saved").count(),
        1,
        "said once: {log}"
    );
    disk.empty();
    eventually!(problems() == "[]" && learned.says("blocks.json", "192.0.2.8"));
    assert!(
        learned
            .floodwall
            .log()
            .contains("blocks.json is in order again")
    );
    learned.restart();
    assert_eq!(learned.known(), (2, true, true));
}

#[test]
fn a_folder_that_may_only_be_read_is_read() {
    needs_root!();
    let (mut learned, disk) = on_a_small_disk();
    learned.floodwall.kill();
    disk.only_read(true);
    learned.floodwall.start_again();
    assert_eq!(learned.known(), (1, true, true));
    let problems = learned.state()["problems"].to_string();
    assert!(problems.contains("Read-only file system"), "{problems}");
    learned.block("192.0.2.8");
    disk.only_read(false);
    eventually!(learned.says("blocks.json", "192.0.2.8"));
    assert_eq!(learned.state()["problems"], serde_json::json!([]));
    assert!(learned.says("blocks.json", super::BLOCKED));
}
