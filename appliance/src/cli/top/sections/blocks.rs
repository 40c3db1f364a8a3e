//! Who is kept out, and for how long still.

use std::time::Duration;

use super::{Cell, Row, Tone};
use crate::{blocks::Listed, cli::top::rates::Rates};

pub(super) fn rows(
    blocks: &[Listed],
    rates: Option<&Rates>,
    age: Duration,
) -> (&'static [&'static str], Vec<Row>) {
    const COLUMNS: &[&str] = &[
        "SOURCE", "ENDS IN>", "DROPS/S>", "PACKETS>", "BYTES>", "SCOPE", "BY", "REASON",
    ];
    let rows = blocks.iter().enumerate().filter_map(|(at, block)| {
        let left = block.ends_in_seconds - age.as_secs_f64();
        let rate = rates.and_then(|rates| rates.blocks.get(at)).copied();
        let cells = vec![
            Cell::words(&block.source),
            Cell::left(left),
            Cell::rate(rate),
            Cell::count(block.dropped_packets),
            Cell::bytes(block.dropped_bytes),
            Cell::words(&block.scope),
            Cell::words(&block.by),
            Cell::words(&block.reason),
        ];
        let row = Row::new(&block.source, cells)
            .of_source(Some(block.source.clone()))
            .tinted(Tone::Notable, rate.is_some_and(|rate| rate > 0.0));
        // It ended since.
        (left > 0.0).then_some(row)
    });
    (COLUMNS, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_down_between_two_looks_and_goes() {
        let block = Listed {
            source: "192.0.2.7".into(),
            scope: "listeners".into(),
            reason: "per-client".into(),
            by: "limit".into(),
            uid: None,
            since_seconds_ago: 1.0,
            ends_in_seconds: 5.0,
            dropped_packets: 3,
            dropped_bytes: 180,
        };
        let left = |millis| {
            let (_, rows) = rows(
                std::slice::from_ref(&block),
                None,
                Duration::from_millis(millis),
            );
            rows.first().map(|row| row.cells[1].text.clone())
        };
        assert_eq!(left(0).as_deref(), Some("5.0s"));
        assert_eq!(left(1_500).as_deref(), Some("3.5s"));
        assert_eq!(left(5_000), None);
    }
}
