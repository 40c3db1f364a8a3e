//! What the service has learned, through restarts, crashes, damage and a folder that takes nothing.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on may panic"
)]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Yaml, eventually};
use serde_json::Value;
use tempfile::TempDir;

mod damage;
mod disk;
mod servers;
mod shared;

/// A service that has learned something of each kind: a source is blocked, a breaker is open, a server is left out.
struct Learned {
    floodwall: Floodwall<'static>,
    yaml: Yaml,
    web: SocketAddr,
    /// Where it is kept.
    state: PathBuf,
    _folder: TempDir,
    _origins: [Origin; 3],
}

const BLOCKED: &str = "192.0.2.7";

impl Learned {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let state = folder.path().join("state");
        let mut learned = Self::idle(state, folder);
        learned.learn();
        learned
    }

    /// The same before anything has happened.
    fn idle(state: PathBuf, folder: TempDir) -> Self {
        let web = Loopback::free();
        let origins = [Origin::start(), Origin::start(), Origin::start()];
        origins[0].be(Mood::Status(500));
        origins[1].be(Mood::Status(500));
        let yaml = front(web, &origins, &state);
        Self {
            floodwall: Floodwall::start(&yaml),
            yaml,
            web,
            state,
            _folder: folder,
            _origins: origins,
        }
    }

    fn learn(&mut self) {
        let web = Client::of(self.web);
        self.block(BLOCKED);
        for _ in 0..3 {
            assert_eq!(web.get("/app").status, 500);
        }
        assert_eq!(web.get("/app").status, 503, "the breaker is open");
        eventually!(web.get("/pair").status == 500);
        eventually!(
            ["blocks.json", "breakers.json", "outliers.json"]
                .iter()
                .all(|file| self.says(file, "ends"))
        );
    }

    fn block(&self, source: &str) {
        let block = [
            "blocks", "add", source, "--for", "1h", "--reason", "a story",
        ];
        let added = self.floodwall.ask(&block);
        assert_eq!(added.code, Some(0), "{}", added.stderr);
    }

    /// Whether a file of the folder has these words.
    fn says(&self, file: &str, words: &str) -> bool {
        fs::read_to_string(self.state.join(file)).is_ok_and(|text| text.contains(words))
    }

    /// What of it is known: the blocked sources, whether the breaker is open, and whether the server is left out.
    fn known(&self) -> (usize, bool, bool) {
        let status = self.floodwall.status();
        let server = &upstream(&status, "pair")["servers"][0];
        (
            self.floodwall.blocks().len(),
            upstream(&status, "app")["breaker"]["state"] == "open",
            server["out_for_seconds"].is_number(),
        )
    }

    fn restart(&mut self) {
        self.floodwall.kill();
        self.floodwall.start_again();
    }

    /// What `status` says of the folder.
    fn state(&self) -> Value {
        self.floodwall.status()["state"].clone()
    }
}

fn front(web: SocketAddr, origins: &[Origin; 3], state: &Path) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
upstreams:
  app:
    servers: [FIRST]
    breaker: { strategy: error_count, threshold: 3, min_requests: 1, open_for: 10m }
  pair:
    servers: [SECOND, THIRD]
    outlier: { consecutive: 1, for: 10m }
routes:
  - { name: app, match: { path: /app }, upstream: app }
  - { name: pair, match: { path: /pair }, upstream: pair }
  - { name: rest, respond: { body: \"here\\n\" } }
state: STATE
",
    )
    .with("WEB", web)
    .with("FIRST", origins[0].address())
    .with("SECOND", origins[1].address())
    .with("THIRD", origins[2].address())
    .with("STATE", state.display())
}

fn upstream<'a>(status: &'a Value, name: &str) -> &'a Value {
    let upstreams = status["upstreams"].as_array().expect("a list");
    let found = upstreams.iter().find(|upstream| upstream["name"] == name);
    found.expect("an upstream of this name")
}
