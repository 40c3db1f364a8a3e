//! `upstreams.NAME.breaker`: when an upstream is asked no more for a while.

use floodwall_limiter::Nanos;
use floodwall_limiter::shape::breaker::MOST_PROBES;

use crate::read::{
    Cursor, Fields, Names, SHORTEST, choice, count, share, span, unique_list, whole_u8,
};
use crate::section::{ANY, COUNT, DURATION, Key, SHARE, Section, Shape};
use crate::status_set::STATUS;
use crate::units::Share;
use crate::{Response, StatusRange};
use crate::{read, response};

/// A circuit breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    pub trip: Trip,
    /// It does not open on fewer answers in its window; at least 1.
    pub min_requests: u64,
    /// At least 10 ms.
    pub window: Nanos,
    /// How long nothing is asked; at least 10 ms.
    pub open_for: Nanos,
    /// So many good answers close it, and no more are asked for at one time; 1 to 100.
    pub probes: u8,
    pub scope: BreakerScope,
    /// Answers that count as errors, beside those that never came.
    pub errors: Vec<StatusRange>,
    pub refusal: Refusal,
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// The share of answers that took longer than `after`, or did not come.
    SlowRatio { threshold: Share, after: Nanos },
    /// The share of errors.
    ErrorRatio { threshold: Share },
    /// The number of errors; at least 1.
    ErrorCount { threshold: u64 },
}

/// How many breakers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerScope {
    /// One for all servers.
    Upstream,
    /// One for each server: those whose breaker is open are passed over.
    Server,
}

/// What an open breaker answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    Respond(Response),
    /// The name of another upstream of the file, which is asked instead.
    Fallback(String),
}

pub(super) static SECTION: Section = Section {
    name: "upstreams.NAME.breaker",
    keys: &[
        Key::required("strategy", Shape::Choice(STRATEGIES), "what opens it"),
        Key::required(
            "threshold",
            Shape::Either(&[SHARE, COUNT]),
            "a share, or a number of errors for error_count",
        ),
        Key::new(
            "min_requests",
            COUNT,
            "it does not open on fewer answers in its window; default 5",
        ),
        Key::new("window", DURATION, "the answers that count; default 10s"),
        Key::new(
            "slow_after",
            DURATION,
            "an answer that takes longer is slow; for slow_ratio",
        ),
        Key::new(
            "open_for",
            DURATION,
            "how long nothing is asked; default 5s",
        ),
        Key::new(
            "probes",
            Shape::Whole {
                min: 1,
                max: MOST_PROBES as u64,
            },
            "so many good answers close it, and no more are asked for at one time; default 1",
        ),
        Key::new(
            "per",
            Shape::Choice(SCOPES),
            "one for the upstream, or one for each server; default upstream",
        ),
        Key::new(
            "errors",
            Shape::List(&STATUS, ANY),
            "statuses that count as errors, beside no answer at all; default [5xx]",
        ),
        Key::new(
            "open",
            Shape::Section(&response::SECTION),
            "what an open breaker answers; default status 503",
        ),
        Key::new(
            "fallback",
            Shape::Text(read::NAME_PATTERN),
            "the upstream that is asked while it is open",
        ),
    ],
    one_of: &[],
};

const STRATEGIES: &[&str] = &["slow_ratio", "error_ratio", "error_count"];
const SCOPES: &[&str] = &["upstream", "server"];

#[derive(Clone, Copy)]
enum Threshold {
    Share(Share),
    Count(u64),
}

#[derive(Clone, Copy, PartialEq)]
enum Strategy {
    SlowRatio,
    ErrorRatio,
    ErrorCount,
}

/// What a million threads would not overflow.
const MOST: u64 = 1_000_000_000;

/// Shorter ones would open and close faster than an answer comes.
const SHORTEST_PHASE: Nanos = Nanos::from_millis(10);

impl Breaker {
    /// Reads the breaker of the upstream `owner`, one of `upstreams`.
    pub(super) fn read(value: Cursor<'_>, owner: &str, upstreams: &Names<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let trip = Trip::read(&fields);
        let min_requests = fields.or("min_requests", count(1, MOST), 5);
        let window = fields.or("window", span(SHORTEST_PHASE), Nanos::from_secs(10));
        let open_for = fields.or("open_for", span(SHORTEST_PHASE), Nanos::from_secs(5));
        let probes = fields.or("probes", whole_u8(1, MOST_PROBES.into()), 1);
        let scopes = choice(SCOPES, &[BreakerScope::Upstream, BreakerScope::Server]);
        let scope = fields.or("per", scopes, BreakerScope::Upstream);
        let errors = fields.or(
            "errors",
            |list| unique_list(list, "status", StatusRange::read),
            vec![StatusRange::SERVER_ERRORS],
        );
        let refusal = Refusal::read(&fields, owner, upstreams);
        Some(Self {
            trip: trip?,
            min_requests: min_requests?,
            window: window?,
            open_for: open_for?,
            probes: probes?,
            scope: scope?,
            errors: errors?,
            refusal: refusal?,
        })
    }

    /// Whether an answer of this status is an error.
    pub fn is_error(&self, status: u16) -> bool {
        self.errors.iter().any(|range| range.contains(status))
    }
}

impl Trip {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let meanings = &[
            Strategy::SlowRatio,
            Strategy::ErrorRatio,
            Strategy::ErrorCount,
        ];
        let strategy = fields.required("strategy", choice(STRATEGIES, meanings));
        let slow_after = fields.optional("slow_after", span(SHORTEST));
        let threshold = fields.required("threshold", |value| Threshold::read(value, strategy));
        let (strategy, threshold, slow_after) = (strategy?, threshold?, slow_after?);
        let trip = match (threshold, slow_after) {
            (Threshold::Count(threshold), _) => Self::ErrorCount { threshold },
            (Threshold::Share(threshold), Some(after)) => Self::SlowRatio { threshold, after },
            (Threshold::Share(threshold), None) => Self::ErrorRatio { threshold },
        };
        let is_slow = strategy == Strategy::SlowRatio;
        match (is_slow, slow_after) {
            (true, None) => fields.refuse(
                "strategy",
                "slow_ratio without `slow_after`",
                "`slow_after` beside it, such as 50ms",
            ),
            (false, Some(_)) => fields.refuse(
                "slow_after",
                "it with a strategy that does not look at time",
                "only with slow_ratio",
            ),
            _ => Some(trip),
        }
    }
}

impl Threshold {
    /// Of a strategy that is wrong nobody knows what it should be; that much was said there.
    fn read(value: Cursor<'_>, strategy: Option<Strategy>) -> Option<Self> {
        match strategy? {
            Strategy::ErrorCount => count(1, MOST)(value).map(Self::Count),
            _ => share(Share::of_millionths(1))(value).map(Self::Share),
        }
    }
}

impl Refusal {
    fn read(fields: &Fields<'_>, owner: &str, upstreams: &Names<'_>) -> Option<Self> {
        let open = fields.optional("open", Response::read(503));
        let fallback = fields.optional("fallback", |value| {
            upstreams.resolve(value)?;
            match value.written() {
                Some(name) if name == owner => {
                    value.refuse_as("the upstream itself", "another upstream")
                }
                name => name.map(str::to_owned),
            }
        });
        match (open?, fallback?) {
            (Some(_), Some(_)) => fields.refuse("fallback", "it beside `open`", "one of the two"),
            (_, Some(name)) => Some(Self::Fallback(name)),
            (open, None) => Some(Self::Respond(open.unwrap_or_else(Response::unavailable))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn problem(breaker: &str) -> String {
        let text = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:80' }} }}\n\
             upstreams: {{ app: {{ servers: ['127.0.0.1:90'], breaker: {breaker} }} }}\n\
             routes: [{{ name: all, upstream: app }}]\n"
        );
        match Config::from_text(&text, "f") {
            Ok(_) => String::new(),
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn a_threshold_is_of_the_strategy_s_kind() {
        for (breaker, words) in [
            (
                "{ strategy: error_ratio, threshold: 5 }",
                "a share such as 40%",
            ),
            (
                "{ strategy: error_ratio, threshold: 0% }",
                "a share of at least",
            ),
            (
                "{ strategy: error_count, threshold: 50% }",
                "a whole number from 1",
            ),
            (
                "{ strategy: error_count, threshold: 0 }",
                "a whole number from 1",
            ),
            ("{ strategy: error_ratio }", "threshold: is missing"),
            (
                "{ strategy: never, threshold: 5 }",
                "slow_ratio, error_ratio, error_count",
            ),
        ] {
            let problem = problem(breaker);
            assert!(problem.contains(words), "{breaker}: {problem:?}");
        }
        assert_eq!(problem("{ strategy: error_count, threshold: 5 }"), "");
    }

    #[test]
    fn what_means_nothing_together_is_refused() {
        for (breaker, words) in [
            (
                "{ strategy: slow_ratio, threshold: 50% }",
                "without `slow_after`",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, slow_after: 50ms }",
                "only with slow_ratio",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, fallback: app }",
                "the upstream itself",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, fallback: apq }",
                "did you mean `app`",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, fallback: app, open: {} }",
                "another upstream",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, probes: 101 }",
                "from 1 to 100",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, window: 1ms }",
                "at least 10ms",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, errors: [600] }",
                "a class such as 5xx",
            ),
            (
                "{ strategy: error_ratio, threshold: 50%, errors: [5xx, 5xx] }",
                "each once",
            ),
        ] {
            let problem = problem(breaker);
            assert!(problem.contains(words), "{breaker}: {problem:?}");
        }
    }
}
