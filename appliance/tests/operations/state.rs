//! What the `state` folder keeps.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    http,
    service::{PATIENCE, Service},
    site::{RESPOND, Site},
};

fn site() -> Site {
    Site::with(&format!("{RESPOND}state: kept\n"))
}

fn block(site: &Site, address: &str, length: &str) {
    site.prints(&[
        "blocks", "add", address, "--for", length, "--reason", "a story",
    ]);
}

/// Polls until the file in the folder has these words.
fn wait_until_saved(site: &Site, words: &str) {
    let begun = Instant::now();
    while !fs::read_to_string(site.path("kept/blocks.json")).is_ok_and(|text| text.contains(words))
    {
        assert!(begun.elapsed() < PATIENCE, "nothing was saved");
        thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn blocks_survive_a_stop_and_a_crash_with_what_remains_of_them() {
    let site = site();
    let service = Service::start(&site);
    block(&site, "127.0.0.1", "1h");
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end(), Some(0));

    let service = Service::start(&site);
    assert!(http::get(site.web, "/").is_err(), "blocked from the start");
    block(&site, "192.0.2.7", "1h");
    wait_until_saved(&site, "192.0.2.7");
    service.kill();

    let _service = Service::start(&site);
    let blocks = site.json(&["blocks", "list", "--json"]);
    let blocks = blocks.as_array().unwrap();
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    for block in blocks {
        assert_eq!(block["reason"], "a story");
        assert!(
            (3500.0..3600.0).contains(&block["ends_in_seconds"].as_f64().unwrap()),
            "{block}"
        );
    }
    site.prints(&["blocks", "remove", "127.0.0.1"]);
    assert_eq!(http::get(site.web, "/").unwrap().status, 200);
}

#[test]
fn a_damaged_file_is_set_aside_and_stops_nobody() {
    let site = site();
    fs::create_dir_all(site.path("kept")).unwrap();
    fs::write(site.path("kept/blocks.json"), "{ \"blocks\": [ {").unwrap();
    let _service = Service::start(&site);
    assert_eq!(http::get(site.web, "/").unwrap().status, 200);
    assert!(site.path("kept/blocks.json.damaged").exists());
    let log = fs::read_to_string(site.path("stderr")).unwrap();
    assert!(log.contains("blocks.json is damaged"), "{log}");
}
