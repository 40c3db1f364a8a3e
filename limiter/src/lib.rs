//! Floodwall's flow control: the flow table, GCRA and what is built on them.
//!
//! The `no_std` core ([`gcra`], [`set`], [`key`], [`siphash`]) is what the XDP program runs too; the rest
//! needs `std`. There is no I/O here, no async, and no knowledge of who is asking.
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
