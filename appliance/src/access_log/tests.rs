use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::*;

fn to_file(path: &Path) -> config::AccessLog {
    config::AccessLog::File(path.to_owned())
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

/// Waits until something holds, for ten seconds at most.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_closed_log_has_written_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = AccessLog::open(&to_file(&path)).unwrap();
    for _ in 0..1000 {
        log.write(&entry());
    }
    log.close();
    assert_eq!((lines(&path), log.dropped()), (1000, 0));
    let text = std::fs::read_to_string(&path).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["verdict"], "admitted");
    assert_eq!(line["client"], "192.0.2.1");
}

#[test]
fn a_file_that_was_moved_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let [path, old] = ["access.log", "access.log.1"].map(|name| folder.path().join(name));
    let log = AccessLog::open(&to_file(&path)).unwrap();
    log.write(&entry());
    eventually("written", || lines(&path) == 1);
    std::fs::rename(&path, &old).unwrap();
    // Still the same file, by another name.
    log.write(&entry());
    eventually("written", || lines(&old) == 2);
    log.reopen().unwrap();
    log.write(&entry());
    eventually("written", || lines(&path) == 1);
    // A folder that takes no file leaves the log where it is.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(log.reopen().is_err());
    assert_eq!((lines(&old), log.dropped()), (2, 0));
}

#[test]
fn a_log_goes_elsewhere_and_off_and_on() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let log = AccessLog::open(&config::AccessLog::Off).unwrap();
    assert!(!log.is_on());
    for target in [to_file(&one), config::AccessLog::Off, to_file(&two)] {
        log.redirect(&target, Sink::open(&target).unwrap());
        assert_eq!(log.is_on(), target != config::AccessLog::Off);
        log.write(&entry());
    }
    log.close();
    assert_eq!((lines(&two), log.dropped()), (1, 0));
    assert_eq!(lines(&one), 1);
}

#[test]
fn a_pipe_that_nobody_empties_makes_nobody_wait_and_what_it_loses_is_counted() {
    const LINES: u64 = 40_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let unread = AccessLog::open(&to_file(&path)).unwrap_err();
    assert!(unread.to_string().contains("nobody reads"), "{unread}");
    let reader = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(&path)
        .unwrap();
    let log = AccessLog::open(&to_file(&path)).unwrap();
    let began = Instant::now();
    for _ in 0..LINES {
        log.write(&entry());
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(log.dropped() > 0, "the lines are more than all buffers");
    // The reader wakes up: what was kept comes whole, in lines.
    let read = std::thread::spawn(move || blocking_lines(reader));
    log.close();
    assert_eq!(read.join().unwrap(), LINES - log.dropped());
}

/// Reads to the end of a pipe, and counts what are whole lines.
fn blocking_lines(pipe: File) -> u64 {
    nix::fcntl::fcntl(
        &pipe,
        nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty()),
    )
    .unwrap();
    let mut count = 0;
    for line in BufReader::new(pipe).lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(line["method"], "GET");
        count += 1;
    }
    count
}

#[test]
fn a_full_disk_loses_lines_and_says_how_many() {
    let log = AccessLog::open(&to_file(Path::new("/dev/full"))).unwrap();
    for _ in 0..10 {
        log.write(&entry());
    }
    eventually("ten are counted", || log.dropped() == 10);
}

fn entry() -> Entry<'static> {
    Entry {
        time: timestamp(std::time::SystemTime::UNIX_EPOCH),
        client: Some(IpAddr::from([192, 0, 2, 1])),
        peer: Some(IpAddr::from([192, 0, 2, 1])),
        method: "GET",
        host: "example.org",
        path: "/\"quoted\"",
        status: Some(200),
        bytes: 3,
        duration_ms: 0.5,
        upstream: None,
        upstream_address: None,
        upstream_ms: None,
        route: None,
        limit: None,
        shed_by: None,
        verdict: Verdict::Admitted,
        error: None,
        generation: 1,
        request_id: "1",
        trace_id: None,
    }
}
