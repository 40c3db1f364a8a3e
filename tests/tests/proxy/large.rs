//! Bodies larger than any memory that is meant for them, both ways.

use std::{
    fs::{self, File},
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use floodwall_tests::{Floodwall, Loopback, Script};

use crate::front;

const GIB: u64 = 1 << 30;
const PIECE: usize = 256 << 10;

/// What a proxy may need for one body of any size, in KiB.
const MOST_GROWTH: u64 = 32 << 10;

/// Sends a gibibyte to who gets, and takes one from who puts.
fn origin() -> Script {
    Script::start(|stage| {
        loop {
            let head = stage.head()?;
            if head.starts_with("GET") {
                stage.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {GIB}\r\n\r\n"))?;
                let piece = vec![b'x'; PIECE];
                for _ in 0..GIB / PIECE as u64 {
                    stage.say(&piece)?;
                }
            } else {
                assert!(
                    head.to_ascii_lowercase()
                        .contains(&format!("content-length: {GIB}"))
                );
                for _ in 0..GIB / PIECE as u64 {
                    stage.take(PIECE)?;
                }
                stage.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")?;
            }
        }
    })
}

/// The most memory that the service ever had, in KiB.
fn peak(floodwall: &Floodwall<'_>) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", floodwall.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .expect("a number of kB")
}

fn start(origin: &Script) -> (SocketAddr, Floodwall<'static>) {
    let web = Loopback::free();
    let plain = format!("address: {web}");
    let yaml = front(web, origin.address()).with(&plain, plain.clone() + ", http2: true");
    (web, Floodwall::start(&yaml))
}

fn assert_small(floodwall: &Floodwall<'_>, before: u64, begun: Instant, what: &str) {
    let (grown, took) = (peak(floodwall) - before, begun.elapsed());
    eprintln!("{what}: {took:?}, {grown} KiB");
    assert!(grown < MOST_GROWTH, "{what}: {grown} KiB");
    assert!(took < Duration::from_mins(1), "{what}: {took:?}");
}

/// Has `curl` move a body, which it counts.
fn curl(options: &[&str], web: SocketAddr) -> String {
    let output = Command::new("curl")
        .args([
            "-q",
            "--noproxy",
            "*",
            "-sS",
            "--max-time",
            "60",
            "-o",
            "/dev/null",
        ])
        .args(["-w", "%{http_code} %{size_download} %{size_upload}"])
        .args(options)
        .arg(format!("http://{web}/large"))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_gibibyte_passes_each_way_at_constant_memory() {
    let (origin, folder) = (origin(), std::env::temp_dir());
    let (web, floodwall) = start(&origin);
    // All holes: it takes no place.
    let file = folder.join(format!("floodwall-large-{}", std::process::id()));
    File::create(&file)
        .and_then(|file| file.set_len(GIB))
        .unwrap();
    let upload = file.to_str().unwrap();
    let before = peak(&floodwall);
    for (what, protocol) in [
        ("HTTP/1.1", "--http1.1"),
        ("HTTP/2", "--http2-prior-knowledge"),
    ] {
        let begun = Instant::now();
        assert_eq!(curl(&[protocol], web), format!("200 {GIB} 0"), "{what}");
        assert_small(&floodwall, before, begun, &format!("{what}, a response"));
        let begun = Instant::now();
        let upload = ["-H", "Expect:", "-T", upload, protocol];
        assert_eq!(curl(&upload, web), format!("200 4 {GIB}"), "{what}");
        assert_small(&floodwall, before, begun, &format!("{what}, a request"));
    }
    fs::remove_file(&file).unwrap();
}
