//! The whole file, checked.

use std::ops::Index;
use std::path::PathBuf;

use crate::{Admin, Clients, Limit, Listener, Log, Prefilter, Route, ServerSettings, Upstream};

/// A configuration in which every value is in range and every name that is used exists.
///
/// Lists keep the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// At least one; names and addresses are unique.
    pub listeners: Vec<Listener>,
    pub clients: Clients,
    pub upstreams: Vec<Upstream>,
    /// At least one; the first that matches a request takes it, and a request without a match gets 404.
    pub routes: Vec<Route>,
    pub limits: Vec<Limit>,
    /// None: no packet filter is asked for.
    pub prefilter: Option<Prefilter>,
    pub admin: Admin,
    pub log: Log,
    /// The folder for what must survive a restart.
    pub state: Option<PathBuf>,
    pub server: ServerSettings,
}

/// The place of a limit in [`Config::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitIndex(pub usize);

/// The place of an upstream in [`Config::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamIndex(pub usize);

impl Index<LimitIndex> for Config {
    type Output = Limit;

    fn index(&self, index: LimitIndex) -> &Limit {
        &self.limits[index.0]
    }
}

impl Index<UpstreamIndex> for Config {
    type Output = Upstream;

    fn index(&self, index: UpstreamIndex) -> &Upstream {
        &self.upstreams[index.0]
    }
}
