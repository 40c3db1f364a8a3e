//! The operators' two doors, with those in front of them who are no operators: the control socket, where things are
//! changed, and the admin address, where nothing is.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

mod admin;
mod control;

use std::net::SocketAddr;

use floodwall_tests::{Floodwall, Yaml};
use serde_json::Value;

fn front(web: SocketAddr, admin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
limits: { narrow: { key: client, rate: 2/d, burst: 2 } }
gates: { laptop: { key: header(authorization) } }
routes:
  - { name: sale, match: { path: /sale }, gate: laptop, respond: { body: \"yours\\n\" } }
  - { name: all, respond: { body: \"here\\n\" } }
admin: { address: ADMIN, socket: floodwall.sock }
state: state
",
    )
    .with("WEB", web)
    .with("ADMIN", admin)
}

/// All that somebody could want to change, but for what the clock moves.
fn changeable(floodwall: &Floodwall<'_>) -> Value {
    let status = floodwall.status();
    let blocks = floodwall.blocks();
    let sources: Vec<&Value> = blocks.iter().map(|block| &block["source"]).collect();
    serde_json::json!({
        "generation": status["generation"],
        "reloads": status["reloads"],
        "pid": status["pid"],
        "limits": status["limits"],
        "gates": status["gates"],
        "guests": floodwall.json(&["gate", "list", "laptop", "--json"]),
        "blocks": sources,
        "file": std::fs::read_to_string(floodwall.folder().join("floodwall.yaml")).expect("a file"),
    })
}
