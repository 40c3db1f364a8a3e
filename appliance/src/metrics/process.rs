//! The process itself: its version, its generations, its reloads, and its flow table.

use std::fmt;

use prometheus_client::registry::Unit;

use super::Page;
use crate::status::Status;

pub(super) fn write(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    generations(status, page)?;
    table(status, page)
}

fn generations(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.gauge(
        "build_info",
        "The running version; always 1",
        [([("version", status.version.as_str())], 1)],
    )?;
    page.unit_gauge(
        "uptime",
        "Time since the process began",
        &Unit::Seconds,
        status.uptime_seconds,
    )?;
    let kernel = status
        .generation
        .kernel
        .map(|number| ([("layer", "kernel")], number));
    let layers = [([("layer", "proxy")], status.generation.proxy)]
        .into_iter()
        .chain(kernel);
    page.gauge(
        "generation",
        "The rule set that a layer runs; both run the same",
        layers,
    )?;
    let reloads = [
        ("taken", status.reloads.taken),
        ("refused", status.reloads.refused),
    ];
    page.counter(
        "reloads",
        "Reloads by what became of them",
        reloads.map(|(outcome, count)| ([("outcome", outcome)], count)),
    )?;
    let ok = status.last_reload.as_ref().is_none_or(|last| last.ok);
    page.gauge_one(
        "last_reload_successful",
        "0 when the last reload was refused",
        u64::from(ok),
    )
}

fn table(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.gauge_one("table_cells", "Cells of the flow table", status.table.cells)?;
    page.gauge_one(
        "table_size_bytes",
        "Memory of the flow table",
        status.table.bytes,
    )?;
    page.counter_one(
        "table_displaced",
        "Keys in debt that lost their cell to another",
        status.table.displaced,
    )?;
    page.counter_one(
        "table_contended",
        "Decisions given up because too many threads raced",
        status.table.contended,
    )
}
