//! The page at the admin address: what it shows in a real browser, what it refuses, and the events that keep it live.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

mod events;
mod layers;
mod looks;
mod rates;
mod shown;
mod strangers;

use std::net::SocketAddr;

use floodwall_tests::{Browser, Client, Floodwall, Origin, Request, Yaml};
use serde_json::{Value, json};

/// A front door with something of everything but a pre-filter, and its admin address.
pub(crate) fn front(web: SocketAddr, admin: SocketAddr, origin: &Origin) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams:
  app: { servers: [ORIGIN], health: { path: /healthz, interval: 100ms }, breaker: { strategy: error_ratio, threshold: 50% } }
limits:
  narrow: { key: client, rate: 3/d, burst: 3 }
  per-user: { key: header(x-user), rate: 1000/d, burst: 1000, absent: skip }
  everybody: { key: none, rate: 10k/d, burst: 10k }
gates:
  sale: { key: header(x-user), max_admitted: 3 }
protection: { in_flight: { trigger: 1000 } }
routes:
  - { name: narrow, match: { path_prefix: /narrow }, limits: [narrow], respond: { body: ok } }
  - { name: sale, match: { path_prefix: /sale }, gate: sale, respond: { body: in } }
  - { name: app, match: { path_prefix: /app }, limits: [per-user, everybody], rewrite: { path_prefix: / }, upstream: app }
admin: { address: ADMIN }
",
    )
    .with("WEB", web)
    .with("ADMIN", admin)
    .with("ORIGIN", origin.address())
}

/// What the page is made of: the status and the blocks, as the command line has them.
pub(crate) fn document(floodwall: &Floodwall<'_>) -> Value {
    json!({ "status": floodwall.status(), "blocks": floodwall.blocks() })
}

/// Opens the page in a browser of its own, and returns when it shows something.
pub(crate) fn open(admin: SocketAddr) -> Browser {
    let browser = Browser::start();
    browser.open(admin, "/");
    browser.wait_for("return document.body.dataset.state", |state| {
        state == "live"
    });
    browser
}

/// A request of a user, who may call himself anything.
pub(crate) fn ask(web: SocketAddr, path: &str, user: &str) -> u16 {
    let request = Request::get(path).header("x-user", user);
    Client::of(web).send(&request).status
}
