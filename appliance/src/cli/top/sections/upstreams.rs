//! Upstreams, each with its servers below it.

use super::{Cell, Row, Tone};
use crate::{
    cli::{
        status::condition,
        top::rates::{Rates, UpstreamRates},
    },
    status::{ServerStatus, Status, UpstreamStatus},
};

pub(super) fn rows(status: &Status, rates: Option<&Rates>) -> (&'static [&'static str], Vec<Row>) {
    const COLUMNS: &[&str] = &["UPSTREAM", "SERVER", "REQ/S>", "ERR/S>", "BUSY>", "STATE"];
    let mut rows = Vec::new();
    for (at, upstream) in status.upstreams.iter().enumerate() {
        let rates = rates.and_then(|rates| rates.upstreams.get(at));
        rows.push(whole(upstream, rates));
        for (at, server) in upstream.servers.iter().enumerate() {
            let rate = rates.and_then(|rates| rates.servers.get(at));
            rows.push(part(
                &upstream.name,
                server,
                rate.map(|rate| rate.requests_per_second),
            ));
        }
        let unknown = upstream
            .names
            .iter()
            .filter(|name| name.addresses.is_empty());
        rows.extend(unknown.map(|name| not_found(&upstream.name, &name.name)));
    }
    (COLUMNS, rows)
}

fn whole(upstream: &UpstreamStatus, rates: Option<&UpstreamRates>) -> Row {
    let breaker = upstream.breaker.as_ref();
    let breaker = breaker.and_then(condition::of_breaker);
    let panicking = upstream
        .panicking
        .then_some("too few are well: all are asked");
    let words: Vec<String> = breaker
        .into_iter()
        .chain(panicking.map(str::to_owned))
        .collect();
    let in_flight = match (upstream.in_flight, upstream.max_in_flight) {
        (Some(now), Some(most)) => format!("{now}/{most}"),
        (Some(now), None) => now.to_string(),
        _ => String::new(),
    };
    let cells = vec![
        Cell::words(&upstream.name),
        Cell::words(""),
        Cell::rate(rates.map(|rates| rates.requests_per_second)),
        Cell::rate(rates.map(|rates| rates.errors_per_second)),
        Cell::words(in_flight),
        Cell::words(words.join(", ")),
    ];
    Row::new(&upstream.name, cells).tinted(Tone::Bad, !words.is_empty())
}

fn part(upstream: &str, server: &ServerStatus, rate: Option<f64>) -> Row {
    let words = condition::of_server(server);
    let is_well = words.is_empty();
    let words = if is_well {
        "well".to_owned()
    } else {
        words.join(", ")
    };
    let cells = vec![
        Cell::words(upstream),
        Cell::words(&server.address),
        Cell::rate(rate),
        Cell::words(""),
        Cell::count(server.in_flight),
        Cell::words(words),
    ];
    Row::new(format!("{upstream} {}", server.address), cells).tinted(Tone::Bad, !is_well)
}

fn not_found(upstream: &str, name: &str) -> Row {
    let cells = [upstream, name, "", "", "", "not found"].map(Cell::words);
    Row::new(format!("{upstream} {name}"), cells.into()).tinted(Tone::Bad, true)
}
