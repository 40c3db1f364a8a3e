//! `limits.NAME`: budgets for requests.

use floodwall_limiter::Nanos;
use ipnet::IpNet;

use crate::{KeyPart, Match, Rate, Response};

/// A budget for each key.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub name: String,
    /// The parts of the key, each once; empty for `key: none`.
    pub key: Vec<KeyPart>,
    pub rate: Rate,
    /// Keys with a budget of their own. Of several networks the longest prefix counts, and a value counts
    /// before a network.
    pub exceptions: Vec<Exception>,
    /// Only these requests are counted; all when absent.
    pub matches: Option<Match>,
    pub absent: Absent,
    /// Counts and reports, but never refuses.
    pub shadow: bool,
    pub reject: Response,
    /// Only when the key has [`KeyPart::Client`].
    pub block: Option<Escalation>,
}

/// What becomes of a request that lacks a part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is counted under one key that all such requests share.
    Shared,
    /// The limit does not count it.
    Skip,
}

/// A key with a budget of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub of: Excepted,
    pub allowance: Allowance,
}

/// Whom an exception means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Excepted {
    /// Requests of which some part of the key, other than the client, is this.
    Value(String),
    /// Clients whose whole address is in this network. Only when the key has [`KeyPart::Client`].
    Net(IpNet),
}

/// What an exception allows instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    Unlimited,
    Rate(Rate),
}

/// When refusals become a block in the kernel, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// So many refusals within `within` block the client, 1 to 32,767.
    pub after: u32,
    pub within: Nanos,
    /// The first block's length, the file's `for`; each repeat doubles it.
    pub duration: Nanos,
    /// No block is longer; at least `duration`.
    pub max: Nanos,
    pub scope: BlockScope,
}

/// What a block drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockScope {
    /// What the source sends to the listeners' ports.
    Listeners,
    /// Everything from the source.
    Host,
}
