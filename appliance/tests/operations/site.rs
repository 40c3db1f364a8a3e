//! A folder with a configuration file and free addresses, and the commands an operator types there.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use assert_cmd::{assert::Assert, cargo::CommandCargoExt, prelude::OutputAssertExt};
use tempfile::TempDir;

/// Where one service lives.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) web: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Site {
    pub(crate) fn new() -> Self {
        let [web, admin] = free_addresses();
        Self {
            folder: TempDir::new().unwrap(),
            web,
            admin,
        }
    }

    /// A site whose file has the listener `web`, the admin address, and `rules` below them.
    pub(crate) fn with(rules: &str) -> Self {
        let site = Self::new();
        site.write(rules);
        site
    }

    pub(crate) fn write(&self, rules: &str) {
        let Self { web, admin, .. } = self;
        let text = format!(
            "listeners:\n  web: {{ address: {web} }}\nadmin: {{ address: {admin} }}\nlog: {{ access: off }}\n{rules}"
        );
        self.write_whole(&text);
    }

    pub(crate) fn write_whole(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("floodwall.yaml")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("floodwall.sock")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command to its end with `-c` for this site.
    pub(crate) fn floodwall(&self, arguments: &[&str]) -> Assert {
        floodwall(arguments).arg("-c").arg(self.file()).assert()
    }

    /// What a command that succeeds prints.
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        stdout(&self.floodwall(arguments).success())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.prints(arguments)).unwrap()
    }
}

/// The real binary.
pub(crate) fn floodwall(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("floodwall").unwrap();
    command.args(arguments);
    command
}

pub(crate) fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub(crate) fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// Addresses that nobody has. Each call has a loopback address of its own, so that neither another test nor
/// the near end of somebody's connection, which is on 127.0.0.1, can take a port before it is used.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    static CALLS: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high | 0x80, low, CALLS.fetch_add(1, Relaxed));
    // All are held until all are known, so that they differ.
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind((host, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}

/// A rule set that answers everything itself.
pub(crate) const RESPOND: &str = "\
limits:
  per-client: { key: client, rate: 1/m, burst: 3 }
routes:
  - { name: all, match: { path_prefix: / }, limits: [per-client], respond: { status: 200, body: \"ok\\n\" } }
";
