//! Overload protection: where its measures stand, and what it shed.

use std::fmt;

use super::Page;
use crate::protection::status::{PriorityStatus, ProtectionStatus};

pub(super) fn write(status: &ProtectionStatus, page: &mut Page<'_>) -> fmt::Result {
    let measures = &status.measures;
    page.gauge_one(
        "protection_in_flight",
        "Requests that overload protection let in and that are being served",
        status.in_flight,
    )?;
    page.gauge_one(
        "protection_capacity_requests",
        "How many requests at once keep the machine busy, as bbr estimates it",
        status.capacity.concurrency,
    )?;
    let values = measures
        .iter()
        .filter_map(|each| Some(([("measure", each.measure.as_str())], each.value?)));
    page.gauge(
        "protection_value",
        "Where a measure stands: shares from 0 to 1, times in seconds",
        values,
    )?;
    let triggers = measures
        .iter()
        .map(|each| ([("measure", each.measure.as_str())], each.trigger));
    page.gauge(
        "protection_trigger",
        "Above which value a measure sheds requests of priority normal",
        triggers,
    )?;
    let by_priority = |number: fn(&PriorityStatus) -> u64| {
        measures.iter().flat_map(move |each| {
            let of = move |priority: &'_ PriorityStatus| {
                let labels = [
                    ("measure", each.measure.clone()),
                    ("priority", priority.priority.clone()),
                ];
                (labels, number(priority))
            };
            each.priorities.iter().map(of)
        })
    };
    page.gauge(
        "protection_sheds",
        "1 when a measure sheds requests of a priority",
        by_priority(|priority| u64::from(priority.sheds)),
    )?;
    page.counter(
        "shed_requests",
        "Requests shed, by the measure that was over its trigger and by priority",
        by_priority(|priority| priority.shed),
    )
}
