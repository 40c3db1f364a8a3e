//! Server-sent events: one look for all who watch, and nobody who watches keeps anybody out.

use std::{
    io::{self, BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use floodwall_tests::{
    Client, Floodwall, Loopback, Origin, Request, Signal, Yaml, eventually, needs_browser, wait,
};
use serde_json::Value;

use crate::front;

/// As many as may watch at one time.
const WATCHERS: usize = 16;

/// Somebody who reads events.
#[derive(Debug)]
struct Watcher(BufReader<TcpStream>);

/// One event: its name and its data.
#[derive(Debug)]
struct Event {
    name: String,
    data: Value,
}

impl Watcher {
    /// Asks, and reads the head of the answer: its status.
    fn ask(admin: SocketAddr) -> io::Result<(u16, Self)> {
        let mut stream = TcpStream::connect(admin)?;
        stream.set_read_timeout(Some(wait::PATIENCE))?;
        io::Write::write_all(
            &mut stream,
            b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )?;
        let mut watcher = Self(BufReader::new(stream));
        let first = watcher.line()?;
        while !watcher.line()?.is_empty() {}
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Ok((status.unwrap_or(0), watcher))
    }

    fn watch(admin: SocketAddr) -> Self {
        let (status, watcher) = Self::ask(admin).expect("an answer");
        assert_eq!(status, 200);
        watcher
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// The next event. Lines of chunks are between the others.
    fn next(&mut self) -> io::Result<Event> {
        let mut name = String::new();
        loop {
            let line = self.line()?;
            if let Some(found) = line.strip_prefix("event: ") {
                found.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data)?;
                return Ok(Event { name, data });
            }
        }
    }
}

#[test]
fn the_status_comes_once_a_second() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let floodwall = Floodwall::start(&front(web, admin, &origin));
    let mut watcher = Watcher::watch(admin);
    let began = Instant::now();
    let first = watcher.next().expect("the first at once");
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(first.name, "status");
    assert_eq!(first.data["status"]["pid"], floodwall.pid());
    assert_eq!(first.data["blocks"], Value::Array(Vec::new()));
    // Whoever comes later sees the same look.
    let joined = Watcher::watch(admin).next().expect("the last one");
    let uptime = |event: &Event| {
        event.data["status"]["uptime_seconds"]
            .as_f64()
            .expect("a number")
    };
    let second = watcher.next().expect("a second one");
    assert!([uptime(&first), uptime(&second)].contains(&uptime(&joined)));
    let apart = uptime(&second) - uptime(&first);
    assert!(apart > 0.8 && apart < 8.0, "{apart} s between two looks");
}

#[test]
fn open_pages_keep_no_scraper_out() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    let mut watchers: Vec<Watcher> = (0..WATCHERS).map(|_| Watcher::watch(admin)).collect();
    let (status, mut refused) = Watcher::ask(admin).expect("an answer");
    assert_eq!(status, 503);
    let mut why = [0; 64];
    let read = refused.0.read(&mut why).expect("a reason");
    assert!(String::from_utf8_lossy(&why[..read]).contains("pages are open"));
    for _ in 0..100 {
        assert_eq!(Client::of(admin).get("/metrics").status, 200);
    }
    // All of them are told, and one that leaves makes room.
    for watcher in &mut watchers {
        assert_eq!(watcher.next().expect("an event").name, "status");
    }
    watchers.pop();
    eventually!(Watcher::ask(admin).is_ok_and(|(status, _)| status == 200));
    // `HEAD` takes no place.
    assert_eq!(
        Client::of(admin)
            .send(&Request::new("HEAD", "/events"))
            .status,
        200
    );
}

/// Documents of many limits fill what the kernel holds; then nobody waits for these readers any more.
#[test]
fn who_does_not_read_is_cut() {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    let limit =
        |number| format!("  limit-with-a-long-name-{number}: {{ key: client, rate: 1/s }}\n");
    let limits = (0..400).map(limit).collect::<Vec<_>>().concat();
    let yaml = format!(
        "listeners: {{ web: {{ address: {web} }} }}\nlimits:\n{limits}routes: [{{ name: all, respond: {{}} }}]\nadmin: {{ address: {admin} }}\n"
    );
    let _floodwall = Floodwall::start(&Yaml::new(yaml));
    let mut reading = Watcher::watch(admin);
    let _idle: Vec<Watcher> = (1..WATCHERS).map(|_| Watcher::watch(admin)).collect();
    let taken = || Watcher::ask(admin).is_ok_and(|(status, _)| status == 503);
    assert!(taken());
    let began = Instant::now();
    while taken() {
        reading.next().expect("who reads is told all the while");
        assert!(
            began.elapsed() < Duration::from_secs(40),
            "none of them was cut"
        );
    }
}

/// Whoever watches is told that the process is leaving, and it ends without waiting for them.
#[test]
fn watchers_are_told_of_the_end() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let mut floodwall = Floodwall::start(&front(web, admin, &origin));
    let mut watcher = Watcher::watch(admin);
    assert_eq!(watcher.next().expect("an event").name, "status");
    let slow = std::thread::spawn(move || Client::of(web).get("/app/slow/3000").status);
    eventually!(floodwall.status()["requests"]["in_flight"] == 1);
    floodwall.signal(Signal::SIGTERM);
    let last = std::iter::from_fn(|| watcher.next().ok())
        .last()
        .expect("an event");
    assert_eq!(last.name, "leaving");
    assert_eq!(slow.join().expect("a request"), 200);
    assert!(floodwall.wait(wait::PATIENCE).success());
}

/// A page finds the successor by itself.
#[test]
fn a_successor_goes_on() {
    needs_browser!();
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let mut floodwall = Floodwall::start(&front(web, admin, &origin));
    let browser = crate::open(admin);
    let old = floodwall.pid();
    floodwall.hand_over();
    assert_ne!(floodwall.pid(), old);
    let process = format!("process {},", floodwall.pid());
    let line =
        "return document.getElementById('process').textContent + document.body.dataset.state";
    browser.wait_for(line, |line| {
        line.as_str()
            .is_some_and(|line| line.contains(&process) && line.ends_with("live"))
    });
}

/// A page says when nobody answers, and goes on when somebody does.
#[test]
fn a_page_that_lost_its_service_says_so() {
    needs_browser!();
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let mut floodwall = Floodwall::start(&front(web, admin, &origin));
    let browser = crate::open(admin);
    floodwall.kill();
    let state = "return document.body.dataset.state";
    browser.wait_for(state, |state| state == "lost");
    let told = browser.run("return document.getElementById('news').textContent");
    assert_eq!(told, "Floodwall: connection lost; trying again.");
    floodwall.start_again();
    browser.wait_for(state, |state| state == "live");
}
