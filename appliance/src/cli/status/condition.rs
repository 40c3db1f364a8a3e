//! What keeps requests from a server, in words.

use crate::{
    cli::table::span,
    status::{BreakerState, BreakerStatus, ServerStatus},
};

/// Everything that keeps requests from a server; nothing when it is well.
pub(in crate::cli) fn of_server(server: &ServerStatus) -> Vec<String> {
    let health = server.health.as_ref().filter(|health| !health.healthy);
    let start =
        (server.share < 1.0).then(|| format!("at {:.0} % of its weight", server.share * 100.0));
    let breaker = server.breaker.as_ref().and_then(of_breaker);
    let out = server.out_for_seconds;
    [
        health.map(|_| "unhealthy".to_owned()),
        start,
        breaker,
        out.map(|left| format!("left out for {}", span(left))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How a breaker stands that does not let every request through.
pub(in crate::cli) fn of_breaker(breaker: &BreakerStatus) -> Option<String> {
    (breaker.state != BreakerState::Closed).then(|| self::breaker(breaker))
}

/// How a breaker stands.
pub(super) fn breaker(breaker: &BreakerStatus) -> String {
    let since = breaker
        .since_seconds
        .map_or(String::new(), |since| format!(" for {}", span(since)));
    match breaker.state {
        BreakerState::Closed => {
            format!(
                "closed{since}, {} of {} answers bad",
                breaker.bad, breaker.answers
            )
        }
        BreakerState::Open => {
            let left = breaker.open_for_seconds.unwrap_or_default();
            format!("open{since}, tries again in {}", span(left))
        }
        BreakerState::HalfOpen => format!(
            "half-open{since}, {} probes under way, {} succeeded",
            breaker.probes_in_flight, breaker.probes_succeeded
        ),
    }
}
