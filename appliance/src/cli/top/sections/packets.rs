//! What becomes of packets, by what decided over them.

use super::{Cell, Row, Tone};
use crate::{cli::top::rates::Rates, status::Status};

pub(super) fn rows(status: &Status, rates: Option<&Rates>) -> (&'static [&'static str], Vec<Row>) {
    const COLUMNS: &[&str] = &[
        "REASON",
        "VERDICT",
        "PACKETS/S>",
        "BYTES/S>",
        "PACKETS>",
        "LIMIT",
    ];
    let (packets, limits) = (&status.prefilter.packets, &status.prefilter.limits);
    let rates = rates.map(|rates| &rates.packets);
    let reasons = packets.iter().enumerate().map(|(at, count)| {
        let rates = rates.and_then(|rates| rates.by_reason.get(at));
        let rate = rates.map(|rates| rates.packets_per_second);
        let cells = vec![
            Cell::words(&count.reason),
            Cell::words(count.became()),
            Cell::rate(rate),
            Cell::rate(
                rates
                    .map(|rates| rates.bytes_per_second)
                    .filter(|_| count.dropped),
            ),
            Cell::count(count.packets),
            Cell::words(""),
        ];
        let is_dropping = count.dropped && rate.is_some_and(|rate| rate > 0.0);
        let row = Row::new(&count.reason, cells).tinted(Tone::Notable, is_dropping);
        (count.packets > 0).then_some(row)
    });
    let limits = limits.iter().enumerate().map(|(at, limit)| {
        let rates = rates.and_then(|rates| rates.by_limit.get(at));
        let cells = vec![
            Cell::words("over a limit"),
            Cell::words(if limit.cookies > 0 {
                "dropped or answered"
            } else {
                "dropped"
            }),
            Cell::rate(rates.map(|rates| rates.dropped_per_second + rates.answered_per_second)),
            Cell::words(""),
            Cell::count(limit.dropped + limit.cookies),
            Cell::words(&limit.name),
        ];
        Row::new(format!("limit {}", limit.name), cells)
    });
    (COLUMNS, reasons.flatten().chain(limits).collect())
}
