//! The packet pre-filter: an XDP program that drops what may not reach the host's stack.
//!
//! [`PreFilter::attach`] loads the program for some [`Rules`], pins it with its maps, and attaches it to
//! interfaces; [`PreFilter::load`] and [`PreFilter::switch`] replace the rules without a gap. What is
//! pinned goes on filtering when the process is gone, until the lease has run out. The flow table and the
//! book of blocks lie in maps that this process maps too ([`PreFilter::memory`]).
//!
//! This is the only crate that knows aya.

mod attachment;
mod bpf;
mod compile;
mod control;
mod counters;
mod cover;
mod error;
mod exceptions;
mod features;
mod foreign;
mod header;
mod interface_facts;
mod interfaces;
mod link;
mod lists;
mod mapped;
mod netlink;
mod packet_limit;
mod pins;
mod prefilter;
mod probe;
mod program;
mod rows;
mod rules;
mod samples;
mod settings;
mod shared;
mod slots;
mod ticks;
mod wall_clock;

pub use counters::{Counters, InterfaceCounters, LimitCounters, ReasonCounters};
pub use error::Error;
pub use features::{Feature, features};
pub use floodwall_xdp_abi::Reason;
pub use header::Header;
pub use interface_facts::{DriverSupport, Occupant, driver_support, occupant};
pub use interfaces::Change;
pub use mapped::Mapped;
pub use packet_limit::{
    Cost, IcmpType, Opens, Over, PacketKey, PacketLimit, PacketMatch, Protocol,
};
pub use pins::Origin;
pub use prefilter::PreFilter;
pub use probe::{Fate, Probe};
pub use program::{Clock, Loaded, Outcome, Run};
pub use rules::{Action, BlockAction, Checks, Rules};
pub use samples::{Sample, Samples};
pub use settings::{InterfaceState, InterfaceStatus, Mode, Settings};
pub use shared::Memory;
pub use ticks::lag;
pub use wall_clock::{WallClock, wall_clock};
