//! Requests and connections over all listeners.

use std::fmt;

use super::Page;
use crate::status::Status;

pub(super) fn write(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let (requests, connections) = (&status.requests, &status.connections);
    let classes = requests
        .finished
        .iter()
        .map(|class| ([("status", class.class.as_str())], class.count));
    page.counter(
        "requests",
        "Finished requests by the class of their status",
        classes,
    )?;
    let verdicts = requests.verdicts.iter();
    page.counter(
        "request_verdicts",
        "Finished requests by what was decided over them",
        verdicts.map(|each| ([("verdict", each.verdict.as_str())], each.count)),
    )?;
    page.gauge_one(
        "requests_in_flight",
        "Requests being served",
        requests.in_flight,
    )?;
    page.counter_one(
        "requests_malformed",
        "Requests refused before any route was looked for",
        requests.malformed,
    )?;
    page.counter_one(
        "requests_unrouted",
        "Requests that no route took",
        requests.unrouted,
    )?;
    page.counter_one(
        "access_log_lines_dropped",
        "Access log lines that could not be kept",
        requests.access_log_dropped,
    )?;
    page.counter_one(
        "header_fields_dropped",
        "Header fields left out because what a request put into them could not stand on the wire",
        requests.fields_dropped,
    )?;
    page.gauge_one("connections_open", "Client connections", connections.open)?;
    page.counter_one(
        "connections_accepted",
        "Client connections accepted",
        connections.accepted,
    )?;
    let refused = [
        ("blocked", connections.refused_blocked),
        ("full", connections.refused_full),
    ];
    page.counter(
        "connections_refused",
        "Client connections closed at accept",
        refused.map(|(why, count)| ([("reason", why)], count)),
    )?;
    page.counter_one(
        "connections_cut",
        "Client connections ended because their source was blocked",
        connections.cut,
    )?;
    let offences = connections.offences.iter();
    page.counter(
        "http2_connections_ended",
        "HTTP/2 connections ended for what their clients did",
        offences.map(|(offence, count)| ([("offence", offence.as_str())], *count)),
    )?;
    let failed = connections.failed.iter();
    page.counter(
        "connections_failed",
        "Client connections that ended before their first request could come",
        failed.map(|(reason, count)| ([("reason", reason.as_str())], *count)),
    )
}
