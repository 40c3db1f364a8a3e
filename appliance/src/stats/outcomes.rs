//! How requests ended.

use super::Classes;
use crate::access_log::Verdict;

/// Finished requests, by what was decided and by the class of their status. One addition counts both.
#[derive(Debug, Default)]
pub struct Outcomes([Classes; Verdict::ALL.len()]);

impl Outcomes {
    /// Counts a request; 0 is one without a status.
    #[inline]
    pub fn count(&self, verdict: Verdict, status: u16) {
        self.0[verdict as usize].count(status);
    }

    /// Requests whose status is of one class: 2 is 2xx.
    pub fn of_class(&self, class: usize) -> u64 {
        self.0.iter().map(|classes| classes.of(class)).sum()
    }

    /// Requests of one verdict.
    pub fn of_verdict(&self, verdict: Verdict) -> u64 {
        let classes = &self.0[verdict as usize];
        (0..Classes::NAMES.len())
            .map(|class| classes.of(class))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_under_its_verdict_and_its_class() {
        let outcomes = Outcomes::default();
        for (verdict, status) in [
            (Verdict::Admitted, 200),
            (Verdict::Admitted, 404),
            (Verdict::Refused, 429),
            (Verdict::Unavailable, 503),
            (Verdict::Unavailable, 0),
        ] {
            outcomes.count(verdict, status);
        }
        let by_verdict = Verdict::ALL.map(|verdict| outcomes.of_verdict(verdict));
        assert_eq!(by_verdict, [2, 1, 0, 0, 0, 0, 0, 0, 2]);
        let by_class: Vec<u64> = (0..6).map(|class| outcomes.of_class(class)).collect();
        assert_eq!(by_class, [1, 0, 1, 0, 2, 1]);
    }
}
