//! What the XDP program and the process must agree on: layouts, map names, reasons, and the packet parser.
//!
//! Everything here is compiled twice, into the kernel's program and into the process, so that there is one
//! truth of each and the parser can be tested and fuzzed where that is easy.
#![no_std]
#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "a call in the kernel's program costs a stack frame and hides bounds from the verifier"
)]

#[cfg(test)]
extern crate std;

pub mod bytes;
pub mod list;
pub mod maps;
pub mod packet;
pub mod reason;
pub mod rules;

pub use packet::{Address, Datagram, Facts, Frame, Icmp, Malformed, Odd, Port};
pub use reason::Reason;
pub use rules::Rules;
