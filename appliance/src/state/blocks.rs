//! Blocks, with their reasons and what remains of them.

use std::net::IpAddr;

use floodwall_limiter::{Nanos, Scope, block::By};
use serde::{Deserialize, Serialize};

use super::{
    part::Part,
    wall::{self, UnixMillis, Wall},
};
use crate::{blocks, host::Host};

/// Who is kept out.
#[derive(Debug)]
pub(super) struct Blocks;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    blocks: Vec<Block>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Block {
    address: IpAddr,
    host: bool,
    operator: bool,
    /// Who the operator was, where that is known.
    #[serde(default)]
    uid: Option<u32>,
    reason: String,
    ends: UnixMillis,
}

impl Part for Blocks {
    const FILE: &'static str = "blocks.json";
    type Saved = Saved;

    fn present(host: &Host) -> Saved {
        let wall = Wall::at(host.now());
        let mut entries = host.book.list(&host.table, wall.now);
        entries.sort_by_key(|entry| (entry.source, entry.scope as u8));
        let blocks = entries.into_iter().map(|entry| Block {
            address: entry.source.address(),
            host: entry.scope == Scope::Host,
            operator: entry.by != By::Limit,
            uid: entry.by.uid(),
            reason: entry.reason,
            ends: wall.of(entry.until),
        });
        Saved {
            blocks: blocks.collect(),
        }
    }

    fn restore(host: &Host, saved: &Saved) {
        // Maps that outlived the process know better than a file.
        if host.kernel.adopted() {
            return;
        }
        let wall = Wall::at(host.now());
        for block in &saved.blocks {
            let left = wall.until(block.ends);
            if left == Nanos::ZERO {
                continue;
            }
            let scope = if block.host {
                Scope::Host
            } else {
                Scope::Listeners
            };
            let by = if block.operator {
                By::Operator { uid: block.uid }
            } else {
                By::Limit
            };
            if let Err(error) = blocks::add(host, block.address, left, scope, &block.reason, by) {
                tracing::info!(%error, "state: a saved block is not in force any more");
            }
        }
    }

    fn is_like(one: &Saved, other: &Saved) -> bool {
        one.blocks.len() == other.blocks.len()
            && one.blocks.iter().zip(&other.blocks).all(|(one, other)| {
                (one.address, one.host, &one.reason) == (other.address, other.host, &other.reason)
                    && (one.operator, one.uid) == (other.operator, other.uid)
                    && wall::alike(one.ends, other.ends)
            })
    }
}
