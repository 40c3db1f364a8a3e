//! The pre-filter as operators see it.

use std::sync::OnceLock;

use floodwall_xdp::{self as xdp, Origin, PreFilter, Reason, ReasonCounters};
use serde::{Deserialize, Serialize};

use super::samples::Dropped;

/// The pre-filter as operators see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelStatus {
    pub on: bool,
    /// Whether the file asks for it.
    pub wanted: bool,
    /// Why it is off, or what of an earlier state had to be given up.
    pub why: Option<String>,
    pub interfaces: Vec<Interface>,
    /// What this kernel can do, asked once.
    pub features: Vec<Feature>,
    /// Packets by what decided over them, since the maps were made.
    pub packets: Vec<PacketCount>,
    pub limits: Vec<PacketLimitCount>,
    /// How often the kernel moved a key in debt out of its cell, or lost too many races.
    pub displaced: u64,
    pub contended: u64,
    /// Packets of blocked sources that were answered with a reset.
    pub resets: u64,
    /// Why limits drop the SYNs that they were to answer with cookies.
    pub no_cookies: Option<String>,
    /// The last dropped packets that were shown, the latest first.
    pub samples: Vec<Dropped>,
    /// Samples that nobody took out in time.
    pub samples_lost: u64,
}

/// A part of the kernel that the pre-filter uses, or could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    pub name: String,
    /// The first kernel that has it.
    pub since: String,
    /// Whether the pre-filter does without it.
    pub optional: bool,
    /// None when the kernel does not say.
    pub present: Option<bool>,
}

/// A kernel does not change while the process runs.
fn features() -> Vec<Feature> {
    static ASKED: OnceLock<Vec<Feature>> = OnceLock::new();
    let ask = || {
        let features = xdp::features().into_iter();
        features
            .map(|feature| Feature {
                name: feature.name.to_owned(),
                since: feature.since.to_owned(),
                optional: feature.optional,
                present: feature.present,
            })
            .collect()
    };
    ASKED.get_or_init(ask).clone()
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub name: String,
    pub state: InterfaceState,
    /// Why it has no program.
    pub why: Option<String>,
    /// `native` or `generic` where it is filtered.
    pub mode: Option<String>,
    /// Why the mode is generic although native was tried first.
    pub fallback: Option<String>,
    /// The program of an earlier process was still attached, and was replaced without a gap.
    pub adopted: bool,
    /// What came in over it, by reason.
    pub packets: Vec<PacketCount>,
    /// Somebody else's program that was taken off for this one.
    pub replaced: Option<String>,
}

/// How an interface is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceState {
    Filtering,
    /// There is no such interface yet, or no longer.
    Waiting,
    Refused,
    /// Its packets are filtered on another one, over which they come.
    Covered,
}

impl Interface {
    pub(super) fn of(status: &xdp::InterfaceStatus, counters: &xdp::Counters) -> Self {
        let (state, why) = match &status.state {
            xdp::InterfaceState::Filtering => (InterfaceState::Filtering, None),
            xdp::InterfaceState::Waiting => (InterfaceState::Waiting, None),
            xdp::InterfaceState::Refused(why) => (InterfaceState::Refused, Some(why.clone())),
            xdp::InterfaceState::Covered(by) => (
                InterfaceState::Covered,
                Some(format!("filtered on {by}, over which its packets come")),
            ),
        };
        Self {
            name: status.name.clone(),
            state,
            why,
            mode: status.is_filtering().then(|| status.mode.to_string()),
            fallback: status.fallback.clone(),
            adopted: status.adopted,
            replaced: status.replaced.clone(),
            packets: of_interface(counters, status.ifindex),
        }
    }
}

/// Packets with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCount {
    pub reason: String,
    /// Whether the reason is one for dropping.
    pub dropped: bool,
    /// Whether what it decided over was answered from the kernel, so that it is neither dropped nor passed.
    pub answered: bool,
    pub packets: u64,
    /// Bytes of the dropped frames; what passes is counted in packets only.
    pub bytes: u64,
}

impl PacketCount {
    /// What became of the packets, in a word.
    pub fn became(&self) -> &'static str {
        match (self.dropped, self.answered) {
            (true, _) => "dropped",
            (false, true) => "answered",
            (false, false) => "passed",
        }
    }
}

/// What became of the packets that one packet limit counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketLimitCount {
    pub name: String,
    pub admitted: u64,
    pub dropped: u64,
    /// Over the limit, and answered with a SYN cookie.
    pub cookies: u64,
    /// Would have been dropped, were the limit not in shadow.
    pub shadowed: u64,
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
        let nowhere = (!filter
            .interfaces()
            .iter()
            .any(xdp::InterfaceStatus::is_filtering))
        .then(|| "none of its interfaces can be filtered".to_owned());
        Self {
            wanted: true,
            on: filter
                .interfaces()
                .iter()
                .any(xdp::InterfaceStatus::is_filtering),
            why: unread.or(given_up).or(nowhere),
            interfaces: filter
                .interfaces()
                .iter()
                .map(|interface| Interface::of(interface, &counters))
                .collect(),
            features: features(),
            packets: packets(&counters.reasons),
            limits: counters
                .limits
                .iter()
                .map(|limit| PacketLimitCount {
                    name: limit.name.clone(),
                    admitted: limit.admitted,
                    dropped: limit.dropped,
                    cookies: limit.cookies,
                    shadowed: limit.shadowed,
                })
                .collect(),
            displaced: counters.displaced,
            contended: counters.contended,
            resets: counters.resets,
            no_cookies: None,
            samples: Vec::new(),
            samples_lost: counters.samples_lost,
        }
    }
}

fn packets(counted: &[ReasonCounters]) -> Vec<PacketCount> {
    let count = |each: &ReasonCounters| PacketCount {
        reason: each.reason.name().to_owned(),
        dropped: each.reason.drops(),
        answered: each.reason == Reason::Cookie,
        packets: each.packets,
        bytes: each.bytes,
    };
    counted.iter().map(count).collect()
}

/// What an interface has counted, without the reasons that it never saw.
fn of_interface(counters: &xdp::Counters, ifindex: u32) -> Vec<PacketCount> {
    let own = counters
        .interfaces
        .iter()
        .find(|each| each.ifindex == ifindex);
    let mut packets = packets(own.map_or(&[], |own| &own.reasons));
    packets.retain(|count| count.packets > 0);
    packets
}
