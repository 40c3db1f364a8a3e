//! Blocks: what limits may make, and what operators ask for.

use serde::{Deserialize, Serialize};

use crate::{generation::Generation, host::Host};

/// How many of the blocks that limits may make are spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlocksBudget {
    /// Sources that limits have blocked and that still are; an operator's are not counted.
    pub standing: u64,
    pub max: u64,
    /// Blocks that were not made because so many stood.
    pub refused_full: u64,
    /// Blocks that were not made because they came too fast.
    pub refused_rate: u64,
    /// Blocks that are enforced, but found no room in the list.
    pub unlisted: u64,
}

impl BlocksBudget {
    pub(super) fn of(host: &Host, generation: &Generation) -> Self {
        let account = host.budget.account(host.now());
        Self {
            standing: account.standing,
            max: generation.blocks.max,
            refused_full: account.refused_full,
            refused_rate: account.refused_rate,
            unlisted: host.book.unlisted(),
        }
    }
}

/// A block that an operator wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBlock {
    /// An address, or the network that the configuration counts it under.
    pub source: String,
    pub duration_ms: u64,
    /// Drops everything, not only what goes to the listeners' ports.
    pub whole_host: bool,
    pub reason: String,
}

/// A block that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockAdded {
    pub source: String,
    pub ends_in_seconds: f64,
    /// Whether `blocks list` shows it; it is enforced in any case.
    pub listed: bool,
}
