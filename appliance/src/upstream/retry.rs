//! Whether a request may be tried again.

use floodwall_config::{self as config, RetryOn};
use floodwall_limiter::{Nanos, shape::retry_budget::Rule};

use super::State;

/// Why a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection, so nothing was sent.
    Connect,
    /// The connection broke off.
    Reset,
    /// There was no answer in time.
    Timeout,
    /// The answer had this status.
    Status(u16),
}

/// What is known of a request that is to be sent again.
#[derive(Clone, Copy, Debug)]
pub struct Repeat {
    pub failure: Failure,
    /// RFC 9110, 9.2.2.
    pub idempotent: bool,
    /// All of its body that was read is still there.
    pub body_kept: bool,
    /// Something of a response went to the client.
    pub answered: bool,
    /// How often it was tried again already.
    pub retries: u32,
}

/// What an upstream tries again.
#[derive(Debug)]
pub(super) struct Retries {
    config: config::Retries,
    budget: Option<Rule>,
}

impl Retries {
    pub(super) fn new(config: &config::Retries) -> Self {
        let sends_again = config.attempts > 0 && config.on.iter().any(|on| *on != RetryOn::Connect);
        let budget = config.budget.filter(|_| sends_again);
        Self {
            config: config.clone(),
            budget: budget.map(|budget| Rule {
                share: budget.share.millionths(),
                least: budget.min_per_second,
            }),
        }
    }

    /// Whether there is a budget that requests must be counted for.
    pub(super) fn has_budget(&self) -> bool {
        self.budget.is_some()
    }

    /// Whether the file and the request allow another try, the budget aside.
    pub(super) fn allow(&self, repeat: Repeat) -> bool {
        let wanted = |reason| self.config.on.contains(&reason);
        let safe =
            repeat.failure == Failure::Connect || repeat.idempotent || self.config.any_method;
        repeat.retries < self.config.attempts
            && !repeat.answered
            && repeat.body_kept
            && safe
            && match repeat.failure {
                Failure::Connect => wanted(RetryOn::Connect),
                Failure::Reset => wanted(RetryOn::Reset),
                Failure::Timeout => wanted(RetryOn::Timeout),
                Failure::Status(status) => self.config.on_status(status),
            }
    }

    /// Takes a retry out of the budget. A request that never was sent costs the servers nothing, and it nothing.
    pub(super) fn pay(&self, failure: Failure, state: &State, now: Nanos) -> bool {
        let budget = self.budget.filter(|_| failure != Failure::Connect);
        budget.is_none_or(|rule| state.budget.retry(rule, now))
    }

    /// How many retries the budget has left.
    pub(super) fn left(&self, state: &State, now: Nanos) -> Option<u64> {
        self.budget.map(|rule| state.budget.left(rule, now))
    }
}

#[cfg(test)]
mod tests {
    use floodwall_config::StatusRange;

    use super::*;

    fn retries(on: &[RetryOn], any_method: bool) -> Retries {
        Retries::new(&config::Retries {
            attempts: 2,
            on: on.to_vec(),
            any_method,
            budget: None,
        })
    }

    const LOST: Repeat = Repeat {
        failure: Failure::Reset,
        idempotent: true,
        body_kept: true,
        answered: false,
        retries: 0,
    };

    #[test]
    fn only_what_the_file_names_is_tried_again() {
        let bad_gateway = RetryOn::Status(StatusRange {
            first: 502,
            last: 502,
        });
        for (on, failure) in [
            (RetryOn::Connect, Failure::Connect),
            (RetryOn::Reset, Failure::Reset),
            (RetryOn::Timeout, Failure::Timeout),
            (bad_gateway, Failure::Status(502)),
        ] {
            let retries = retries(&[on], false);
            for other in [
                Failure::Connect,
                Failure::Reset,
                Failure::Timeout,
                Failure::Status(502),
                Failure::Status(503),
            ] {
                let repeat = Repeat {
                    failure: other,
                    ..LOST
                };
                assert_eq!(retries.allow(repeat), other == failure, "{on:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_repeated_is_not() {
        let retries = retries(&[RetryOn::Connect, RetryOn::Reset], false);
        assert!(retries.allow(LOST));
        for repeat in [
            Repeat {
                idempotent: false,
                ..LOST
            },
            Repeat {
                body_kept: false,
                ..LOST
            },
            Repeat {
                answered: true,
                ..LOST
            },
            Repeat { retries: 2, ..LOST },
        ] {
            assert!(!retries.allow(repeat), "{repeat:?}");
        }
        let unsent = Repeat {
            failure: Failure::Connect,
            idempotent: false,
            ..LOST
        };
        assert!(retries.allow(unsent), "nothing was sent");
    }

    #[test]
    fn the_operator_may_know_that_every_method_is_safe() {
        let post = Repeat {
            idempotent: false,
            ..LOST
        };
        assert!(retries(&[RetryOn::Reset], true).allow(post));
    }
}
