//! A listener in the file system.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use floodwall_tests::{Curl, Floodwall, Origin, Signal, Yaml};

#[test]
fn whoever_may_open_the_socket_may_say_for_whom_it_asks() {
    let origin = Origin::start();
    let yaml = Yaml::new(
        "listeners: { web: { address: 'unix:web.sock', mode: 0600 } }
upstreams: { app: { servers: [ORIGIN] } }
limits: { fair: { key: client, rate: 1/d, burst: 2, block: { after: 1, within: 10s, for: 5m, max: 1h } } }
routes: [{ name: all, limits: [fair], upstream: app }]
",
    )
    .with("ORIGIN", origin.address());
    let mut floodwall = Floodwall::start(&yaml);
    let socket = floodwall.folder().join("web.sock");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let get = |client: Option<&str>| {
        let curl = Curl::new().with("--unix-socket", socket.to_str().unwrap());
        let curl = match client {
            Some(client) => curl.with("-H", &format!("X-Forwarded-For: {client}")),
            None => curl,
        };
        curl.get("http://www.test/").status
    };
    assert_eq!(get(Some("198.51.100.7")), 200);
    // There is no address to add.
    assert_eq!(
        origin.last().header("x-forwarded-for"),
        Some("198.51.100.7")
    );
    let line = floodwall.logged(|line| line["client"] == "198.51.100.7");
    assert!(line["peer"].is_null(), "{line}");
    assert_eq!(get(None), 200);
    assert_eq!(origin.last().header("x-forwarded-for"), None);
    // Those who say nothing are one client, and others are others.
    assert_eq!([get(None), get(None), get(None)], [200, 429, 429]);
    assert_eq!(get(Some("198.51.100.7")), 200);
    assert!(
        floodwall.blocks().is_empty(),
        "nobody is blocked whose packets never come here"
    );

    floodwall.kill();
    assert!(socket.exists(), "what was killed leaves its socket");
    floodwall.start_again();
    assert_eq!(get(Some("198.51.100.9")), 200);
    floodwall.signal(Signal::SIGTERM);
    floodwall.wait(Duration::from_secs(20));
    assert!(!socket.exists(), "who ends in order takes it along");
}
