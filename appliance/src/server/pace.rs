//! How long a client keeps everybody waiting for a request's body.
//!
//! A bound between two reads is no bound for whoever sends a byte before each of them. So all waiting counts, and
//! what has come pays for it.

use std::time::{Duration, Instant};

/// The waiting for one body so far. Time in which nobody wanted to read is not the client's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    waited: Duration,
    since: Option<Instant>,
    received: u64,
}

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    pub grace: Duration,
    /// In bytes a second, after the grace; without a bound when absent.
    pub rate: Option<u64>,
}

impl Pace {
    /// Somebody waits for the next bytes.
    pub fn waits(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// So many bytes came.
    pub fn came(&mut self, bytes: usize) {
        self.received += bytes as u64;
        self.waited += self
            .since
            .take()
            .map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// How much longer the client may be waited for; nothing when there is no bound.
    pub fn left(&self, allowance: Allowance) -> Option<Duration> {
        let rate = allowance.rate?.max(1);
        let paid = Duration::from_millis(self.received.saturating_mul(1000) / rate);
        let now = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        Some((allowance.grace + paid).saturating_sub(self.waited + now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pay_for_the_waiting() {
        let allowance = Allowance {
            grace: Duration::from_secs(10),
            rate: Some(100),
        };
        let waited = |seconds, received| Pace {
            waited: Duration::from_secs(seconds),
            since: None,
            received,
        };
        let left = |pace: Pace| pace.left(allowance);
        assert_eq!(left(waited(0, 0)), Some(Duration::from_secs(10)));
        assert_eq!(left(waited(10, 0)), Some(Duration::ZERO));
        assert_eq!(left(waited(15, 1000)), Some(Duration::from_secs(5)));
        assert_eq!(
            left(waited(15, u64::MAX)).map(|left| left > Duration::from_hours(1)),
            Some(true)
        );
        let unbounded = Allowance {
            rate: None,
            ..allowance
        };
        assert_eq!(waited(99, 0).left(unbounded), None);
    }
}
