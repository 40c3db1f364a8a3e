//! The pre-filter as operators see it.

use floodwall_xdp::{self as xdp, Origin, PreFilter};
use serde::{Deserialize, Serialize};

/// The pre-filter as operators see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelStatus {
    pub on: bool,
    /// Why it is off, or what of an earlier state had to be given up.
    pub why: Option<String>,
    pub interfaces: Vec<Interface>,
    /// Packets by what decided over them, since the maps were made.
    pub packets: Vec<PacketCount>,
    pub limits: Vec<PacketLimitCount>,
    /// How often the kernel moved a key in debt out of its cell, or lost too many races.
    pub displaced: u64,
    pub contended: u64,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub name: String,
    pub mode: String,
    /// Why the mode is generic although native was tried first.
    pub fallback: Option<String>,
    /// The program of an earlier process was still attached, and was replaced without a gap.
    pub adopted: bool,
}

/// Packets with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCount {
    pub reason: String,
    /// Whether the reason is one for dropping.
    pub dropped: bool,
    pub packets: u64,
}

/// What became of the packets that one packet limit counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketLimitCount {
    pub name: String,
    pub admitted: u64,
    pub dropped: u64,
}

impl KernelStatus {
    pub(super) fn on(filter: &PreFilter) -> Self {
        let (counters, unread) = match filter.counters() {
            Ok(counters) => (counters, None),
            Err(error) => (
                xdp::Counters::default(),
                Some(format!("the counters cannot be read: {error}")),
            ),
        };
        let given_up = match filter.origin() {
            Origin::Replaced(why) => Some(format!(
                "the state of an earlier version was given up: {why}"
            )),
            Origin::Created | Origin::Adopted => None,
        };
        Self {
            on: true,
            why: unread.or(given_up),
            interfaces: filter
                .interfaces()
                .iter()
                .map(|interface| Interface {
                    name: interface.name.clone(),
                    mode: interface.mode.to_string(),
                    fallback: interface.fallback.clone(),
                    adopted: interface.adopted,
                })
                .collect(),
            packets: counters
                .reasons
                .iter()
                .map(|each| PacketCount {
                    reason: each.reason.name().to_owned(),
                    dropped: each.reason.drops(),
                    packets: each.packets,
                })
                .collect(),
            limits: counters
                .limits
                .iter()
                .map(|limit| PacketLimitCount {
                    name: limit.name.clone(),
                    admitted: limit.admitted,
                    dropped: limit.dropped,
                })
                .collect(),
            displaced: counters.displaced,
            contended: counters.contended,
        }
    }
}
