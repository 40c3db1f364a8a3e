//! The admin address: what operators and Prometheus may read over HTTP. Nothing can be changed here.
//!
//! It has a thread apart from the proxy's, so that a flood on the listeners does not keep the operator out.

mod answers;
mod authority;
mod events;
mod page;
mod reply;
mod server;

pub use self::{answers::Answers, server::serve};
