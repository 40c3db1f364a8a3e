//! The operator's door: a Unix socket that only its owner and group may open.
//!
//! One JSON document a line, question and answer in turn, as many as the caller likes. Whatever changes
//! something goes through here; the admin address only reads.

mod callers;
pub mod client;
mod conversation;
mod door;
pub mod protocol;

pub use callers::Callers;
pub use door::{ClaimError, Door};
