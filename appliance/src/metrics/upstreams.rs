//! Upstreams and their servers.

use std::fmt;

use super::Page;
use crate::status::{ServerStatus, Status, UpstreamStatus};

pub(super) fn write(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.counter(
        "upstream_requests",
        "Requests sent to an upstream",
        by_name(status, |upstream| upstream.requests),
    )?;
    page.counter(
        "upstream_connect_failures",
        "Connections that could not be opened",
        by_name(status, |upstream| upstream.connect_failures),
    )?;
    connections(status, page)?;
    page.counter(
        "upstream_retries",
        "Requests that were tried again",
        by_name(status, |upstream| upstream.retries),
    )?;
    page.counter(
        "upstream_retries_over_budget",
        "Retries that the budget did not allow",
        by_name(status, |upstream| upstream.retries_over_budget),
    )?;
    let refused = status.upstreams.iter().flat_map(|upstream| {
        [
            ("full", upstream.refused_full),
            ("open", upstream.refused_open),
        ]
        .map(|(why, count)| {
            (
                [("upstream", upstream.name.as_str()), ("reason", why)],
                count,
            )
        })
    });
    page.counter(
        "upstream_refused",
        "Requests that an upstream did not take: its breaker was `open`, or it was `full`",
        refused,
    )?;
    page.gauge(
        "upstream_in_flight",
        "Requests that an upstream with `max_in_flight` has",
        where_known(status, |upstream| upstream.in_flight),
    )?;
    page.gauge(
        "upstream_max_in_flight",
        "Requests that an upstream may have; it moves when it is adaptive",
        where_known(status, |upstream| upstream.max_in_flight),
    )?;
    servers(status, page)?;
    outliers(status, page)?;
    breakers(status, page)?;
    page.counter(
        "upstream_errors",
        "Requests that an upstream failed to answer",
        by_name(status, |upstream| upstream.errors),
    )
}

/// A number of every upstream.
fn by_name(
    status: &Status,
    number: fn(&UpstreamStatus) -> u64,
) -> impl Iterator<Item = (Label<'_>, u64)> {
    let upstreams = status.upstreams.iter();
    upstreams.map(move |upstream| ([("upstream", upstream.name.as_str())], number(upstream)))
}

/// A number of those upstreams that have it.
fn where_known(
    status: &Status,
    number: fn(&UpstreamStatus) -> Option<u64>,
) -> impl Iterator<Item = (Label<'_>, u64)> {
    let upstreams = status.upstreams.iter();
    upstreams.filter_map(move |upstream| {
        Some(([("upstream", upstream.name.as_str())], number(upstream)?))
    })
}

type Label<'a> = [(&'static str, &'a str); 1];

/// Every server of every upstream, and what names it.
fn each_server(
    status: &Status,
) -> impl Iterator<Item = ([(&'static str, &str); 2], &ServerStatus)> {
    status.upstreams.iter().flat_map(|upstream| {
        upstream.servers.iter().map(|server| {
            let labels = [
                ("upstream", upstream.name.as_str()),
                ("server", server.address.as_str()),
            ];
            (labels, server)
        })
    })
}

fn connections(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.counter(
        "upstream_connections_opened",
        "Connections opened to an upstream",
        by_name(status, |upstream| upstream.connections.opened),
    )?;
    page.counter(
        "upstream_connections_reused",
        "Requests sent over a connection that was there already",
        by_name(status, |upstream| upstream.connections.reused),
    )?;
    page.gauge(
        "upstream_connections_open",
        "Connections to an upstream",
        by_name(status, |upstream| upstream.connections.open),
    )?;
    page.gauge(
        "upstream_connections_idle",
        "Connections to an upstream that no request uses",
        by_name(status, |upstream| upstream.connections.idle),
    )
}

/// What every server has, and what checks found out of those that are checked.
fn servers(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let all = || each_server(status);
    let checked = || all().filter_map(|(labels, server)| Some((labels, server.health.as_ref()?)));
    page.counter(
        "upstream_server_requests",
        "Requests sent to a server, each try by itself",
        all().map(|(labels, server)| (labels, server.requests)),
    )?;
    page.gauge(
        "upstream_server_in_flight",
        "Requests that a server has now",
        all().map(|(labels, server)| (labels, server.in_flight)),
    )?;
    page.gauge(
        "upstream_server_healthy",
        "1 unless the checks of a server fail",
        checked().map(|(labels, health)| (labels, u64::from(health.healthy))),
    )?;
    page.counter(
        "upstream_server_checks",
        "Checks of a server",
        checked().map(|(labels, health)| (labels, health.checks)),
    )?;
    page.counter(
        "upstream_server_check_failures",
        "Checks of a server that failed",
        checked().map(|(labels, health)| (labels, health.failures)),
    )?;
    page.gauge(
        "upstream_panicking",
        "1 while so few servers are well that all are asked",
        by_name(status, |upstream| u64::from(upstream.panicking)),
    )
}

fn outliers(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let servers = || {
        each_server(status).filter_map(|(labels, server)| Some((labels, server, server.ejections?)))
    };
    page.gauge(
        "upstream_server_out",
        "1 while a server is left out because it does badly",
        servers().map(|(labels, server, _)| (labels, u64::from(server.out_for_seconds.is_some()))),
    )?;
    page.counter(
        "upstream_server_ejections",
        "Times that a server was left out",
        servers().map(|(labels, _, ejections)| (labels, ejections)),
    )
}

fn breakers(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.counter(
        "upstream_breaker_opened",
        "Times that a breaker opened",
        by_name(status, |upstream| upstream.breaker_opened),
    )?;
    let positions = status.upstreams.iter().flat_map(|upstream| {
        let whole = upstream.breaker.as_ref().map(|breaker| ("", breaker));
        let servers = upstream
            .servers
            .iter()
            .filter_map(|server| Some((server.address.as_str(), server.breaker.as_ref()?)));
        whole.into_iter().chain(servers).map(|(server, breaker)| {
            (
                [("upstream", upstream.name.as_str()), ("server", server)],
                breaker.state as u64,
            )
        })
    });
    page.gauge(
        "upstream_breaker_state",
        "0 closed, 1 half-open, 2 open; without a server for the breaker of all",
        positions,
    )
}
