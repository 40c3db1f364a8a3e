//! Refusals by limit.

use super::{Cell, Row, Tone};
use crate::{cli::top::rates::Rates, status::Status};

pub(super) fn rows(status: &Status, rates: Option<&Rates>) -> (&'static [&'static str], Vec<Row>) {
    const COLUMNS: &[&str] = &[
        "LIMIT",
        "ADMITTED/S>",
        "REFUSED/S>",
        "REFUSED>",
        "WAITING>",
        "BLOCKS>",
        "RATE>",
        "KEY",
    ];
    let rows = status.limits.iter().enumerate().map(|(at, limit)| {
        let rates = rates.and_then(|rates| rates.limits.get(at));
        let refused = rates.map(|rates| rates.refused_per_second);
        let key = limit.key.join(", ");
        let cells = vec![
            Cell::words(&limit.name),
            Cell::rate(rates.map(|rates| rates.admitted_per_second)),
            Cell::rate(refused),
            Cell::count(limit.refused),
            Cell::count(limit.waiting),
            Cell::count(limit.blocks),
            Cell::words(&limit.rate),
            Cell::words(if limit.shadow {
                format!("{key} (shadow)")
            } else {
                key
            }),
        ];
        Row::new(&limit.name, cells).tinted(Tone::Notable, refused.is_some_and(|rate| rate > 0.0))
    });
    (COLUMNS, rows.collect())
}
