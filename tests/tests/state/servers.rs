//! Breakers and servers that are left out.

use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Yaml, eventually, wait};

use super::{Learned, upstream};

#[test]
fn what_was_learned_is_known_from_the_first_request_with_the_time_that_is_left() {
    let mut learned = Learned::start();
    learned.restart();
    assert_eq!(Client::of(learned.web).get("/app").status, 503);
    for _ in 0..10 {
        assert_eq!(Client::of(learned.web).get("/pair").status, 200);
    }
    assert_eq!(learned.known(), (1, true, true));
    let status = learned.floodwall.status();
    let left = [
        &upstream(&status, "app")["breaker"]["open_for_seconds"],
        &upstream(&status, "pair")["servers"][0]["out_for_seconds"],
    ];
    for left in left {
        let left = left.as_f64().expect("seconds");
        assert!((540.0..600.0).contains(&left), "{left}");
    }
    let log = learned.floodwall.log();
    assert!(
        log.contains("the breaker of app is open as it was"),
        "{log}"
    );
    assert!(log.contains("is left out as it was"), "{log}");
    assert_eq!(learned.state()["problems"], serde_json::json!([]));
}

#[test]
fn the_folder_and_its_files_are_the_services_alone() {
    let learned = Learned::start();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&learned.state), 0o700);
    for file in std::fs::read_dir(&learned.state).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert!(learned.state()["last_saved"].is_string());
}

#[test]
fn a_breaker_whose_time_is_over_tries_and_closes() {
    let (web, origin) = (Loopback::free(), Origin::start());
    origin.be(Mood::Status(500));
    let yaml = Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams:
  app:
    servers: [ORIGIN]
    breaker: { strategy: error_count, threshold: 2, min_requests: 1, open_for: 2s, probes: 2, per: server }
routes: [{ name: app, upstream: app }]
state: state
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin.address());
    let mut floodwall = Floodwall::start(&yaml);
    let breaker = |floodwall: &Floodwall<'_>| {
        upstream(&floodwall.status(), "app")["servers"][0]["breaker"]["state"].clone()
    };
    let opened = Instant::now();
    for _ in 0..2 {
        assert_eq!(Client::of(web).get("/").status, 500);
    }
    let file = floodwall.folder().join("state/breakers.json");
    eventually!(std::fs::read_to_string(&file).is_ok_and(|text| text.contains("app")));
    floodwall.kill();
    wait::for_the_clock(opened + Duration::from_secs(3));
    origin.be(Mood::Well);
    floodwall.start_again();
    assert_eq!(breaker(&floodwall), "half_open");
    for _ in 0..2 {
        assert_eq!(Client::of(web).get("/").status, 200);
    }
    assert_eq!(breaker(&floodwall), "closed");
    // And this is kept as well.
    eventually!(std::fs::read_to_string(&file).is_ok_and(|text| !text.contains("app")));
    floodwall.kill();
    floodwall.start_again();
    assert_eq!(breaker(&floodwall), "closed");
}

#[test]
fn a_breaker_that_counts_otherwise_begins_anew_and_nobody_is_out_for_longer_than_the_file_says() {
    let mut learned = Learned::start();
    let yaml = (learned.yaml.clone())
        .with("strategy: error_count", "window: 3s, strategy: error_count")
        .with(
            "consecutive: 1, for: 10m",
            "consecutive: 1, for: 5s, max: 5s",
        );
    learned.floodwall.write(&yaml);
    learned.restart();
    assert_eq!(learned.known(), (1, false, true));
    let status = learned.floodwall.status();
    let out = &upstream(&status, "pair")["servers"][0]["out_for_seconds"];
    assert!(out.as_f64().expect("seconds") <= 5.0, "{out}");
}

#[test]
fn another_upstream_begins_anew() {
    let mut learned = Learned::start();
    let yaml = (learned.yaml.clone())
        .with("  app:\n", "  application:\n")
        .with("upstream: app }", "upstream: application }")
        .with("outlier: { consecutive: 1, for: 10m }", "balance: random");
    learned.floodwall.write(&yaml);
    learned.restart();
    let status = learned.floodwall.status();
    let breaker = &upstream(&status, "application")["breaker"];
    assert_eq!(breaker["state"], "closed", "another upstream");
    assert!(upstream(&status, "pair")["servers"][0]["out_for_seconds"].is_null());
}
