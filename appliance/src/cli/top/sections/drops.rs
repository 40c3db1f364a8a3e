//! The last packets that the kernel dropped and showed.

use super::{Cell, Row};
use crate::status::Status;

pub(super) fn rows(status: &Status) -> (&'static [&'static str], Vec<Row>) {
    const COLUMNS: &[&str] = &["SOURCE", "TO", "WHY", "OVER", "AT"];
    let rows = status.prefilter.samples.iter().map(|sample| {
        let port = sample.port.map(|port| format!(" {port}"));
        let limit = sample.limit.as_ref().map(|limit| format!(" by {limit}"));
        let source = sample.source.clone().unwrap_or_default();
        let cells = vec![
            Cell::words(&source),
            Cell::words(format!("{}{}", sample.protocol, port.unwrap_or_default())),
            Cell::words(format!("{}{}", sample.reason, limit.unwrap_or_default())),
            Cell::words(&sample.interface),
            Cell::words(&sample.at),
        ];
        Row::new(format!("{} {source}", sample.at), cells).of_source(sample.source.clone())
    });
    (COLUMNS, rows.collect())
}
