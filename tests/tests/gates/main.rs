//! Gates over real HTTP: the steps of a flash sale, places under a rush, and who is in after a kill.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on may panic"
)]

mod cookbook;
mod data;
mod disk;
mod killed;
mod rush;
mod sale;
mod shown;

use std::net::SocketAddr;

use floodwall_tests::{Client, Request, Response, Yaml};

/// A sale whose gate has these keys; who asks is named by `authorization`.
fn sale(web: SocketAddr, gate: &str) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
gates: { laptop: { GATE } }
routes:
  - { name: sale, match: { path_prefix: /flashsale }, gate: laptop, respond: { body: \"yours\\n\" } }
  - { name: shop, respond: { body: \"welcome\\n\" } }
admin: { socket: floodwall.sock }
state: state
",
    )
    .with("WEB", web)
    .with("GATE", gate)
}

const KEY: &str = "key: header(authorization)";

fn buy(user: &str) -> Request {
    Request::get("/flashsale").header("authorization", user)
}

fn ask(web: SocketAddr, user: &str) -> Response {
    Client::of(web).send(&buy(user))
}
