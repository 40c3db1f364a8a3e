//! What overload protection would do with a request, charging nothing.

use floodwall_config::Priority;
use serde::{Deserialize, Serialize};

use super::{Protection, status};
use crate::host::Host;

/// The verdict it would give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Of the route: low, normal, high or critical.
    pub priority: String,
    /// The measure that would shed it; absent when none would.
    pub shed_by: Option<String>,
    /// The status it would be answered with then.
    pub status: u16,
}

impl Preview {
    pub fn of(host: &Host, protection: &Protection, priority: Priority) -> Self {
        let now = host.now();
        let in_flight = host.traffic.in_flight.now();
        let watched = protection
            .over(host, priority, now)
            .map(|watched| watched.measure.name());
        let full = || {
            protection
                .is_full(priority, in_flight)
                .then_some("in_flight")
        };
        let fast = || {
            protection
                .is_too_fast(host, priority, now)
                .then_some("rate")
        };
        Self {
            priority: status::word(priority).to_owned(),
            shed_by: watched.or_else(full).or_else(fast).map(ToOwned::to_owned),
            status: protection.answers.status(),
        }
    }
}
