//! Floodwall's configuration file: YAML text becomes types that cannot be wrong.
//!
//! A [`Config`] has every value in range and every name resolved; whoever holds one need not check anything
//! again. A file that is wrong gives [`Problems`]: all of them at once, each with its place, the path of its
//! key, what was found and what is allowed. [`schema`] says the same to editors as JSON Schema, and
//! [`Config::changes`] says what a reload would change.
//!
//! ```
//! use floodwall_config::Config;
//!
//! let text = "
//! listeners: { web: { address: 127.0.0.1:8080 } }
//! limits: { per-client: { key: client, rate: 100/s } }
//! routes: [{ name: all, limits: [per-clint], respond: { status: 200 } }]
//! ";
//! let problems = Config::from_text(text, "floodwall.yaml").unwrap_err();
//! assert_eq!(
//!     problems.to_string(),
//!     "floodwall.yaml:4:32: routes[0].limits[0]: found `per-clint`, but no limit has this name, \
//!      did you mean `per-client`?; allowed: per-client"
//! );
//! ```
#![forbid(unsafe_code)]

mod admin;
mod clients;
mod config;
mod diff;
mod error_page;
mod gate;
mod header;
mod key;
mod limit;
mod listener;
mod log;
mod matching;
mod named_file;
mod net;
mod net_list;
mod packet_limit;
pub mod path;
mod prefilter;
mod problem;
mod protection;
mod rate;
mod read;
mod response;
mod route;
mod schema;
mod section;
mod server;
mod socket;
mod status_set;
mod template;
mod token;
mod unbuilt;
pub mod units;
mod upstream;
mod yaml;

pub use admin::Admin;
pub use clients::Clients;
pub use config::{Config, GateIndex, LimitIndex, UpstreamIndex};
pub use diff::{Change, ChangeKind};
pub use error_page::{ErrorPage, ErrorPages};
pub use gate::{Draw, Gate, Nameless};
pub use header::{Header, HeaderEdits, HeaderName, HeaderRule, OF_ONE_CONNECTION};
pub use key::KeyPart;
pub use limit::{
    Absent, Adapt, Allowance, BlockScope, Count, Direction, Escalation, Excepted, Exception,
    Exemption, Grant, Limit, Mark, Queue, RateBudget, Related, Responses, StatusPattern, WarmUp,
};
pub use listener::{
    Alpn, Certificate, ClientCertificates, ListenAddress, Listener, ListenerMax, ListenerTimeouts,
    ListenerTls, TlsVersion,
};
pub use log::{AccessLog, Level, Log};
pub use matching::{HostPattern, Match, NamedValue, PathRegex, ValuePattern};
pub use named_file::NamedFile;
pub use packet_limit::{
    IcmpType, Over, PacketException, PacketKey, PacketLimit, PacketMatch, Per, PortRange, Protocol,
};
pub use prefilter::{BlockAction, BlockBudget, Checks, Policy, Prefilter, XdpMode};
pub use problem::{Fault, Place, Problem, Problems};
pub use protection::{Measure, Priority, Protection, Resource, Stalled, Strategy, Trigger};
pub use rate::Rate;
pub use response::Response;
pub use route::{
    Action, Algorithm, Arm, Compress, CompressionLevel, Location, MediaType, Mirror, NewPath,
    Path as RedirectPath, Redirect, Rewrite, Route, Split, Takes,
};
pub use schema::schema;
pub use server::ServerSettings;
pub use status_set::StatusRange;
pub use template::{Segment, Template, Variable};
pub use token::{Fetch, Missing, Take, Token};
pub use upstream::{
    Address, Balance, Breaker, BreakerScope, Budget, Check, Dns, Family, Health, MaxInFlight,
    Outlier, Pool, ProxyVersion, Refusal, Retries, RetryOn, Server, SuccessRate, Trip, Upstream,
    UpstreamCertificate, UpstreamTimeouts, UpstreamTls,
};
