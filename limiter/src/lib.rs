//! Floodwall's flow control: the flow table, GCRA and what is built on them.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

pub mod gcra;
mod nanos;
mod quota;

pub use nanos::Nanos;
pub use quota::Quota;
