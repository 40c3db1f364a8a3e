//! Files that do not count: each is set aside, loses nothing but itself, and keeps nobody from being served.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};

use floodwall_tests::{Client, Signal, eventually, privilege};
use nix::{sys::stat::Mode, unistd::mkfifo};

use super::Learned;

/// A way to damage a file, and what is said of it.
type Damage = (fn(&Path), &'static str);

fn empty(file: &Path) {
    fs::write(file, "").unwrap();
}

fn half(file: &Path) {
    let text = fs::read(file).unwrap();
    fs::write(file, &text[..text.len() / 2]).unwrap();
}

fn garbage(file: &Path) {
    fs::write(file, [0xff, 0, 0xfe, b'{']).unwrap();
}

fn another_document(file: &Path) {
    fs::write(file, "{\"version\": 1, \"breakfast\": []}").unwrap();
}

fn newer(file: &Path) {
    fs::write(file, "{\"version\": 2, \"everything\": \"else\"}").unwrap();
}

fn huge(file: &Path) {
    File::create(file).unwrap().set_len(65 << 20).unwrap();
}

fn link(file: &Path) {
    fs::rename(file, file.with_extension("elsewhere")).unwrap();
    symlink(file.with_extension("elsewhere"), file).unwrap();
}

fn folder(file: &Path) {
    fs::remove_file(file).unwrap();
    fs::create_dir(file).unwrap();
}

fn pipe(file: &Path) {
    fs::remove_file(file).unwrap();
    mkfifo(file, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
}

fn foreign(file: &Path) {
    std::os::unix::fs::chown(file, Some(65_534), None).unwrap();
}

const DAMAGES: [Damage; 9] = [
    (empty, "is damaged"),
    (half, "is damaged"),
    (garbage, "is damaged"),
    (another_document, "is damaged: missing field"),
    (newer, "is of version 2, which a newer floodwall wrote"),
    (huge, "67108864 are the most"),
    (link, "is a symbolic link"),
    (folder, "is no regular file"),
    (pipe, "is no regular file"),
];

#[test]
fn a_file_that_does_not_count_is_set_aside_under_a_name_of_its_own() {
    let mut learned = Learned::start();
    let file = learned.state.join("blocks.json");
    let foreign: Damage = (foreign, "belongs to user 65534");
    let foreign = privilege::is_root().then_some(foreign);
    for (number, (damage, said)) in DAMAGES.into_iter().chain(foreign).enumerate() {
        learned.floodwall.kill();
        damage(&file);
        learned.floodwall.start_again();
        assert_eq!(learned.known(), (0, true, true), "{said}");
        assert_eq!(Client::of(learned.web).get("/").status, 200);
        let aside = match number {
            0 => "blocks.json.damaged".to_owned(),
            _ => format!("blocks.json.damaged.{}", number + 1),
        };
        let aside = learned.state.join(aside);
        assert!(fs::symlink_metadata(&aside).is_ok(), "{}", aside.display());
        assert_eq!(learned.state()["set_aside"], serde_json::json!([aside]));
        let log = learned.floodwall.log();
        let line = log.lines().rfind(|line| line.contains("blocks.json"));
        assert!(
            line.is_some_and(|line| line.contains(said)),
            "{said}: {log}"
        );
        let shown = learned.floodwall.ask(&["status"]).stdout;
        assert!(shown.contains("set aside: "), "{shown}");
        // The next one has the name.
        learned.block("192.0.2.9");
        eventually!(learned.says("blocks.json", "192.0.2.9"));
    }
}

#[test]
fn each_part_loses_only_itself() {
    let mut learned = Learned::start();
    for (file, known) in [
        ("breakers.json", (1, false, true)),
        ("outliers.json", (1, false, false)),
        ("blocks.json", (0, false, false)),
    ] {
        learned.floodwall.kill();
        garbage(&learned.state.join(file));
        learned.floodwall.start_again();
        assert_eq!(learned.known(), known, "{file}");
    }
}

#[test]
fn a_folder_that_is_a_file_keeps_nobody_from_being_served() {
    let mut learned = Learned::start();
    learned.floodwall.signal(Signal::SIGTERM);
    learned.floodwall.wait(floodwall_tests::wait::PATIENCE);
    fs::remove_dir_all(&learned.state).unwrap();
    fs::write(&learned.state, "a file").unwrap();
    learned.floodwall.start_again();
    assert_eq!(Client::of(learned.web).get("/").status, 200);
    let problems = learned.state()["problems"].to_string();
    assert!(
        problems.contains("the folder: nothing can be saved"),
        "{problems}"
    );
    fs::remove_file(&learned.state).unwrap();
    eventually!(learned.state()["problems"] == serde_json::json!([]));
    learned.block("192.0.2.9");
    eventually!(learned.says("blocks.json", "192.0.2.9"));
}
