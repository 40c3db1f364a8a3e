//! Floodwall's flow control: the flow table, GCRA and what is built on them.
//!
//! The `no_std` core ([`gcra`], [`set`], [`key`], [`siphash`], [`mod@block`]'s layout) is what the XDP program runs too; the rest
//! needs `std`. There is no I/O here, no async, and no knowledge of who is asking.
//!
//! ```
//! use floodwall_limiter::{FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret, Source};
//!
//! let secret = Secret { k0: 1, k1: 2 }; // drawn once, and kept with the table
//! let table = FlowTable::own(1024, secret);
//! let limit = LimitId::new(secret, LimitKind::Request, "per-client");
//! let quota = Quota::new(50, Nanos::SECOND, 2);
//!
//! let client = KeyHash::of_source(secret, Source::from([192, 0, 2, 7]));
//! let flow = FlowId::new(client, limit);
//! let now = Nanos::from_secs(1);
//! assert!(table.charge(flow, quota, now, 1).is_ok());
//! assert!(table.charge(flow, quota, now, 1).is_ok());
//! assert!(table.charge(flow, quota, now, 1).is_err());
//! assert!(table.charge(flow, quota, now.plus(Nanos::from_millis(20)), 1).is_ok());
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "the kernel's program must be one function: a call costs it a stack frame and the verifier's view"
)]

pub mod block;
pub mod gcra;
pub mod key;
mod nanos;
mod quota;
pub mod set;
pub mod siphash;

#[cfg(feature = "std")]
pub mod clock;
#[cfg(feature = "std")]
pub mod escalation;
#[cfg(feature = "std")]
pub mod shape;
#[cfg(feature = "std")]
mod sync;
#[cfg(feature = "std")]
pub mod table;
#[cfg(feature = "std")]
pub mod tally;

pub use key::{FlowId, KeyHash, LimitId, LimitKind, Prefixes, Scope, Source};
pub use nanos::Nanos;
pub use quota::Quota;
pub use siphash::Secret;
#[cfg(feature = "std")]
pub use table::FlowTable;
