//! Overload protection: what is shed at what trigger, what last, and what the client and the operator are told.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Yaml};
use serde_json::Value;

mod bbr;
mod container;
mod in_flight;
mod rate;
mod watched;

/// A file with one route for each priority before one origin: a request says in a header how much it matters.
pub(crate) fn protected(web: SocketAddr, origin: SocketAddr, protection: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams: { app: { servers: [ORIGIN] } }
limits:
  closed: { key: none, rate: 0/s }
  queued: { key: none, rate: 1/h, burst: 1, queue: { max_wait: 1h } }
  counted: { key: none, rate: 1000/d, burst: 1000 }
protection: { PROTECTION }
routes:
  - { name: low, match: { headers: { priority: low } }, priority: low, limits: [counted], upstream: app }
  - { name: high, match: { headers: { priority: high } }, priority: high, limits: [counted], upstream: app }
  - { name: critical, match: { headers: { priority: critical } }, priority: critical, limits: [counted], upstream: app }
  - { name: closed, match: { path: /closed }, limits: [closed], upstream: app }
  - { name: queued, match: { path: /queued }, limits: [queued], upstream: app }
  - { name: normal, limits: [counted], upstream: app }
",
    )
    .with("WEB", web)
    .with("ORIGIN", origin)
    .with("PROTECTION", protection)
}

/// What a request of a priority to a path is.
pub(crate) fn of(priority: &str, path: &str) -> floodwall_tests::Request {
    floodwall_tests::Request::get(path).header("priority", priority)
}

/// The statuses of one request of each priority, the least important first.
pub(crate) fn each_priority(web: SocketAddr) -> Vec<u16> {
    ["low", "normal", "high", "critical"]
        .map(|priority| Client::of(web).send(&of(priority, "/")).status)
        .to_vec()
}

/// What `status` says of one measure.
pub(crate) fn measure(floodwall: &Floodwall<'_>, name: &str) -> Value {
    let status = floodwall.status();
    let measures = status["protection"]["measures"].as_array();
    let mut measures = measures.expect("protection is on").iter();
    let found = measures.find(|measure| measure["measure"] == name);
    found.expect("the measure is in the file").clone()
}

/// How many requests of each priority a measure has shed, the least important first.
pub(crate) fn shed(floodwall: &Floodwall<'_>, name: &str) -> Vec<u64> {
    let measure = measure(floodwall, name);
    let priorities = measure["priorities"].as_array().expect("a list");
    let counts = priorities.iter().map(|each| each["shed"].as_u64());
    counts.map(|count| count.expect("a count")).collect()
}
