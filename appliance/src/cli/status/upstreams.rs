//! Upstreams, their servers, and what keeps requests from them.

use crate::{
    cli::table::{Table, span},
    status::{self as document, BreakerState},
};

pub(super) fn upstreams(status: &document::Status) -> Table<6> {
    let mut table = Table::new([
        "UPSTREAM",
        "REQUESTS>",
        "UNREACHABLE>",
        "RETRIES>",
        "ERRORS>",
        "SERVERS",
    ]);
    for upstream in &status.upstreams {
        let unknown = upstream
            .names
            .iter()
            .filter(|name| name.addresses.is_empty());
        let servers: Vec<String> = (upstream.servers.iter().map(server))
            .chain(unknown.map(|name| format!("{} (not found)", name.name)))
            .collect();
        table.row([
            upstream.name.clone(),
            upstream.requests.to_string(),
            upstream.connect_failures.to_string(),
            upstream.retries.to_string(),
            upstream.errors.to_string(),
            servers.join(", "),
        ]);
    }
    table
}

fn server(server: &document::ServerStatus) -> String {
    let weight = match server.weight {
        1 => String::new(),
        weight => format!(" x{weight}"),
    };
    let breaker = match &server.breaker {
        Some(breaker) if breaker.state != BreakerState::Closed => {
            format!(" ({})", self::breaker(breaker))
        }
        _ => String::new(),
    };
    let out = server.out_for_seconds.map_or(String::new(), |left| {
        format!(" (left out for {})", span(left))
    });
    let health = match &server.health {
        Some(health) if !health.healthy => " (unhealthy)",
        _ => "",
    };
    let start = if server.share < 1.0 {
        format!(" (at {:.0} % of its weight)", server.share * 100.0)
    } else {
        String::new()
    };
    format!("{}{weight}{health}{start}{breaker}{out}", server.address)
}

/// The upstreams that do not take every request: what bounds them, and how they stand.
pub(super) fn bounds(status: &document::Status) -> Table<5> {
    let mut table = Table::new(["UPSTREAM", "IN FLIGHT>", "FULL>", "OPEN>", "BREAKER"]);
    for upstream in &status.upstreams {
        let has_breakers = upstream
            .servers
            .iter()
            .any(|server| server.breaker.is_some());
        if upstream.max_in_flight.is_none() && upstream.breaker.is_none() && !has_breakers {
            continue;
        }
        let in_flight = match (upstream.in_flight, upstream.max_in_flight) {
            (Some(now), Some(most)) => format!("{now}/{most}"),
            _ => String::new(),
        };
        let breaker = match &upstream.breaker {
            Some(breaker) => self::breaker(breaker),
            None if has_breakers => "one for each server".to_owned(),
            None => String::new(),
        };
        table.row([
            upstream.name.clone(),
            in_flight,
            upstream.refused_full.to_string(),
            upstream.refused_open.to_string(),
            breaker,
        ]);
    }
    table
}

fn breaker(breaker: &document::BreakerStatus) -> String {
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
