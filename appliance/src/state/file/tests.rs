use std::os::unix::{fs::PermissionsExt, fs::symlink, net::UnixListener};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_file_is_replaced_whole_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    assert!(read(&file).unwrap().is_none());
    fs::write(folder.path().join("a.json.new"), "left by a crash").unwrap();
    for text in ["one", "two"] {
        replace(&file, text.as_bytes()).unwrap();
        assert_eq!(read(&file).unwrap().unwrap(), text.as_bytes());
    }
    assert_eq!(mode(&file), 0o600);
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "no draft is left");
}

#[test]
fn a_draft_that_is_a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, victim) = (folder.path().join("a.json"), folder.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, folder.path().join("a.json.new")).unwrap();
    replace(&file, b"new").unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[test]
fn what_cannot_be_written_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    replace(&file, b"old").unwrap();
    fs::create_dir(folder.path().join("a.json.new")).unwrap();
    assert!(replace(&file, b"new").is_err());
    assert_eq!(read(&file).unwrap().unwrap(), b"old");
}

#[test]
fn only_regular_files_count() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("target"), "{}").unwrap();
    symlink(at("target"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    for (name, words) in [
        ("link", "symbolic link"),
        ("dangling", "symbolic link"),
        ("folder", "no regular file"),
        ("pipe", "no regular file"),
        ("socket", "no regular file"),
    ] {
        let unfit = read(&at(name)).unwrap_err();
        assert!(unfit.to_string().contains(words), "{name}: {unfit}");
        assert!(unfit.is_final());
    }
}

#[test]
fn what_anybody_could_have_written_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o606)).unwrap();
    let unfit = read(&file).unwrap_err();
    assert!(matches!(unfit, Unfit::Unguarded { mode: 0o606 }), "{unfit}");
    let huge = File::create(folder.path().join("b.json")).unwrap();
    huge.set_len(MOST_BYTES + 1).unwrap();
    let unfit = read(&folder.path().join("b.json")).unwrap_err();
    assert!(matches!(unfit, Unfit::TooLong { .. }), "{unfit}");
}

#[test]
fn what_somebody_else_wrote_does_not_count() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    fs::write(&file, "{}").unwrap();
    std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
    let unfit = read(&file).unwrap_err();
    assert!(matches!(unfit, Unfit::Foreign { owner: 65_534 }), "{unfit}");
    std::os::unix::fs::chown(folder.path(), Some(65_534), None).unwrap();
    assert!(read(&file).is_ok(), "the folder is theirs as well");
}

#[test]
fn nothing_that_was_set_aside_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    for (text, name) in [
        ("first", "a.json.damaged"),
        ("second", "a.json.damaged.2"),
        ("third", "a.json.damaged.3"),
    ] {
        fs::write(&file, text).unwrap();
        let aside = set_aside(&file).unwrap();
        assert_eq!(aside, folder.path().join(name));
        assert_eq!(fs::read(aside).unwrap(), text.as_bytes());
    }
    assert!(!file.exists() && set_aside(&file).is_err());
}
