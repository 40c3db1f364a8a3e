//! `server`: the process itself.

use std::num::NonZeroU16;

use floodwall_limiter::Nanos;

/// How the process runs and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Threads that serve requests, 1 to 1024; as many as there are cores when absent.
    pub threads: Option<NonZeroU16>,
    /// How long requests that are under way may go on after SIGTERM.
    pub drain: Nanos,
}
