//! What came of the requests that one route took.

use floodwall_limiter::Nanos;

use super::{Classes, Latency};

/// Kept by the route's name, over all generations that had a route of its name.
#[derive(Debug, Default)]
pub struct RouteStats {
    pub answers: Classes,
    /// From the end of the request's head to the end of the response.
    pub duration: Latency,
}

impl RouteStats {
    /// Takes note of a finished request; 0 is one without a status.
    pub fn finished(&self, status: u16, took: Nanos) {
        self.answers.count(status);
        self.duration.note(took);
    }
}
