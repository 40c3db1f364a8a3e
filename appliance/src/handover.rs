//! Handing the service to a new process, on SIGQUIT.
//!
//! The old process starts the program that lies at its own path, and gives it, over a socket that is the new one's
//! standard input, everything that it listens on. Both hold the same sockets then, so that no connection finds nobody.
//! When the new one says that it serves, the old one finishes what it has and ends. When the new one ends instead, or
//! says nothing for too long, nothing has changed.

mod estate;
mod heir;

pub use estate::{Estate, Failure, Program};
pub use heir::Inheritance;

/// Tells a process that its standard input is its predecessor's end of the socket.
const VARIABLE: &str = "FLOODWALL_HANDOVER";

/// Behind the last socket.
const END: &str = "end";
/// What the new process says when it serves.
const READY: &str = "ready";

/// The names of what is given: a listener's follows its prefix.
pub const ADMIN: &str = "admin";
pub const CONTROL: &str = "control";
const LISTENER: &str = "listener:";
/// What a successor is told beside the sockets; one that knows of none leaves it unread.
const LETTER: &str = "letter";

/// The name of a listener's socket.
pub fn of_listener(name: &str) -> String {
    format!("{LISTENER}{name}")
}
