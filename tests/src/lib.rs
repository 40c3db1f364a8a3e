//! The harness of the stories: origins, clients, network namespaces, and the real `floodwall` binary.
//!
//! A test starts an [`Origin`], starts a [`Floodwall`] on a [`Yaml`], sends one request and asserts one thing.
//! Everything a test starts ends with the value that stands for it. A harness that cannot go on panics, which
//! fails the test that asked.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a harness that cannot go on must fail its test"
)]
#![forbid(unsafe_code)]

mod binary;
mod browser;
mod certificates;
pub mod client;
mod control;
mod echo;
mod floodwall;
mod group;
pub mod h2;
mod http;
mod loopback;
mod namespace;
mod notify;
mod open_files;
mod origin;
mod pins;
pub mod privilege;
mod promtool;
mod repeat;
mod scratch;
mod script;
mod small_disk;
mod target;
mod terminal;
mod tool;
pub mod wait;
mod yaml;

pub use browser::{Browser, Screen};
pub use certificates::{Authority, Issued};
pub use client::{Client, Connection, Request};
pub use control::Control;
pub use echo::{Echo, GREETING};
pub use floodwall::{Answer, Floodwall, Launch};
pub use group::Group;
pub use h2::Http2;
pub use http::Response;
pub use loopback::Loopback;
pub use namespace::{Host, Wire};
pub use nix::sys::signal::Signal;
pub use open_files::raise_open_files;
pub use origin::{Mood, Origin, Seen, WORKERS};
pub use pins::Instance;
pub use promtool::Promtool;
pub use repeat::Repeat;
pub use script::{Script, Stage};
pub use small_disk::SmallDisk;
pub use terminal::Terminal;
pub use tool::{Curl, Got, s_client};
pub use yaml::Yaml;
