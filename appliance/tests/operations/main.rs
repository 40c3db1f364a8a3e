//! Stories of the operator, told with the real binary: no privilege, loopback only.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where an expectation does not hold"
)]

mod admin;
mod blocks;
mod check;
mod explain;
mod http;
mod json;
mod life;
mod reload;
mod service;
mod shell;
mod site;
mod state;
mod status;
