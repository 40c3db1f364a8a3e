//! Upstreams, their servers, and what keeps requests from them.

use super::condition;
use crate::{cli::table::Table, status as document};

pub(super) fn upstreams(status: &document::Status) -> Table<7> {
    let mut table = Table::new([
        "UPSTREAM",
        "REQUESTS>",
        "UNREACHABLE>",
        "CONNECTIONS>",
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
            connections(&upstream.connections),
            upstream.retries.to_string(),
            upstream.errors.to_string(),
            servers.join(", "),
        ]);
    }
    table
}

fn connections(connections: &document::ConnectionStatus) -> String {
    match connections.idle {
        0 => connections.open.to_string(),
        idle => format!("{} ({idle} idle)", connections.open),
    }
}

fn server(server: &document::ServerStatus) -> String {
    let weight = match server.weight {
        1 => String::new(),
        weight => format!(" x{weight}"),
    };
    let conditions = condition::of_server(server);
    let conditions = conditions.iter().map(|words| format!(" ({words})"));
    format!(
        "{}{weight}{}",
        server.address,
        conditions.collect::<Vec<_>>().concat()
    )
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
            Some(breaker) => condition::breaker(breaker),
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
