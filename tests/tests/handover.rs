//! SIGQUIT: a new process takes the service over, and nobody is turned away meanwhile.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use floodwall_tests::{
    Client, Floodwall, Loopback, Origin, Request, Signal, Yaml, eventually, wait,
};

fn front(web: SocketAddr, admin: SocketAddr, origin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB, http2: true } }
upstreams: { app: { servers: [ORIGIN] } }
routes:
  - { name: all, match: { path_prefix: / }, upstream: app }
admin: { address: ADMIN }
state: state
",
    )
    .with("WEB", web)
    .with("ADMIN", admin)
    .with("ORIGIN", origin)
}

/// Requests on a connection each, and on one that is kept as long as the service keeps it.
fn visit(client: Client, stop: &AtomicBool, served: &AtomicUsize) -> io::Result<()> {
    let mut kept = client.connect()?;
    while !stop.load(Relaxed) {
        let response = client.try_send(&Request::get("/"))?;
        assert_eq!(response.status, 200);
        // A service that ends closes what nobody uses; a client that uses it just then asks again.
        match kept.get("/") {
            Ok(response) => {
                assert_eq!(response.status, 200);
                if response.closes() {
                    kept = client.connect()?;
                }
            }
            Err(_) => kept = client.connect()?,
        }
        served.fetch_add(2, Relaxed);
    }
    Ok(())
}

#[test]
fn over_a_hundred_upgrades_nobody_is_refused() {
    const UPGRADES: usize = 100;
    let ip = Loopback::claim();
    let (web, admin, origin) = (ip.free_port(), ip.free_port(), Origin::start());
    let mut floodwall = Floodwall::start(&front(web, admin, origin.address()));
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| visit(Client::of(web), &stop, &served)))
            .collect();
        for _ in 0..UPGRADES {
            let before = served.load(Relaxed);
            floodwall.hand_over();
            eventually!(
                served.load(Relaxed) >= before + 10
                    || visitors.iter().any(thread::ScopedJoinHandle::is_finished)
            );
        }
        stop.store(true, Relaxed);
        for visitor in visitors {
            let visited = visitor.join().expect("only right answers");
            visited.expect("no connection is refused");
        }
    });
    assert_eq!(floodwall.status()["requests"]["in_flight"], 0);
    assert_eq!(Client::of(admin).get("/status").status, 200);
    let log = floodwall.log();
    assert_eq!(log.matches("handed over").count(), UPGRADES, "{log}");
}

/// What the old process has under way, it finishes. What comes meanwhile is the new one's.
#[test]
fn what_is_under_way_is_finished_by_the_old_process() {
    let ip = Loopback::claim();
    let (web, admin, origin) = (ip.free_port(), ip.free_port(), Origin::start());
    let mut floodwall = Floodwall::start(&front(web, admin, origin.address()));
    let slow = thread::spawn(move || Client::of(web).get("/slow/5000"));
    eventually!(origin.count() == 1);
    floodwall.hand_over();
    assert!(!slow.is_finished(), "it was handed over before the answer");
    assert_eq!(Client::of(web).get("/").status, 200);
    // Both accept until the old one has heard that the new one serves.
    eventually!(Client::of(web).get("/").status == 200 && floodwall.finished("2xx") > 0);
    let slow = slow.join().expect("an answer");
    assert_eq!(slow.status, 200);
    assert!(slow.closes(), "the old process keeps no connection");
    assert!(
        floodwall.wait(wait::PATIENCE).success(),
        "the old process has ended"
    );
    assert_eq!(Client::of(web).get("/").status, 200);
}

/// A new process that does not come to serving changes nothing.
#[test]
fn without_a_successor_the_old_process_serves_on() {
    let ip = Loopback::claim();
    let (web, admin, origin) = (ip.free_port(), ip.free_port(), Origin::start());
    let mut floodwall = Floodwall::start(&front(web, admin, origin.address()));
    let pid = floodwall.pid();
    floodwall.write(&Yaml::new("listeners: nonsense\n"));
    floodwall.signal(Signal::SIGQUIT);
    eventually!(
        floodwall
            .log()
            .contains("the service stays with this process")
    );
    assert!(
        floodwall.log().contains("listeners: found"),
        "{}",
        floodwall.log()
    );
    assert_eq!(Client::of(web).get("/").status, 200);
    eventually!(floodwall.finished("2xx") == 1);
    floodwall.write(&front(web, admin, origin.address()));
    floodwall.hand_over();
    assert_ne!(floodwall.pid(), pid);
    assert_eq!(Client::of(web).get("/").status, 200);
}

/// Who looks for what changed when finds it whichever process serves.
#[test]
fn what_became_of_reloads_is_handed_over() {
    let ip = Loopback::claim();
    let (web, admin, origin) = (ip.free_port(), ip.free_port(), Origin::start());
    let file = front(web, admin, origin.address());
    let mut floodwall = Floodwall::start(&file);
    floodwall.write(&file.clone().with("path_prefix: /", "path_prefix: /a"));
    assert_eq!(floodwall.reload().code, Some(0));
    floodwall.write(&Yaml::new("listeners: nonsense\n"));
    assert_eq!(floodwall.reload().code, Some(2));
    floodwall.write(&file);
    let before = floodwall.status()["history"].clone();
    assert_eq!(before.as_array().map(Vec::len), Some(3));
    for successors in 1..=2 {
        floodwall.hand_over();
        let history = floodwall.status()["history"].clone();
        let history = history.as_array().expect("a list");
        assert_eq!(history[0]["outcome"], "started");
        assert_eq!(history[successors..], *before.as_array().expect("a list"));
    }
}
