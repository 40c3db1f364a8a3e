//! Floodwall's configuration file: YAML text becomes types that cannot be wrong.
#![forbid(unsafe_code)]

mod admin;
mod clients;
mod config;
mod header;
mod key;
mod limit;
mod listener;
mod log;
mod matching;
mod net;
mod packet_limit;
mod prefilter;
mod problem;
mod rate;
mod read;
mod response;
mod route;
mod schema;
mod section;
mod server;
mod unbuilt;
pub mod units;
mod upstream;
mod yaml;

pub use admin::Admin;
pub use clients::Clients;
pub use config::{Config, LimitIndex, UpstreamIndex};
pub use header::{Header, HeaderEdits, HeaderName};
pub use key::KeyPart;
pub use limit::{Absent, Allowance, BlockScope, Escalation, Excepted, Exception, Limit};
pub use listener::{ListenAddress, Listener, ListenerMax, ListenerTimeouts};
pub use log::{AccessLog, Level, Log};
pub use matching::{HostPattern, Match, NamedValue, PathRegex, ValuePattern};
pub use packet_limit::{PacketKey, PacketLimit, PacketMatch, PortRange, Protocol};
pub use prefilter::{Malformed, Prefilter, XdpMode};
pub use problem::{Fault, Place, Problem, Problems};
pub use rate::Rate;
pub use response::Response;
pub use route::{Action, Route};
pub use schema::schema;
pub use server::ServerSettings;
pub use upstream::{Balance, Retries, Server, Upstream, UpstreamTimeouts};
