//! Overload protection: each measure, and what it sheds.

use crate::{
    cli::table::{Table, span},
    protection::status::{ProtectionStatus, Unit},
};

pub(super) fn table(status: Option<&ProtectionStatus>) -> Table<6> {
    let mut table = Table::new(["OVERLOAD", "NOW>", "TRIGGER>", "STRATEGY", "SHEDS", "SHED>"]);
    for measure in status.iter().flat_map(|status| &status.measures) {
        let sheds = measure.priorities.iter().filter(|each| each.sheds);
        let sheds: Vec<&str> = sheds.map(|each| each.priority.as_str()).collect();
        let shed: u64 = measure.priorities.iter().map(|each| each.shed).sum();
        let value = measure.value;
        table.row([
            measure.measure.clone(),
            value.map_or_else(
                || "unknown here".to_owned(),
                |value| amount(measure.unit, value),
            ),
            amount(measure.unit, measure.trigger),
            measure.strategy.clone(),
            sheds.join(", "),
            shed.to_string(),
        ]);
    }
    table
}

fn amount(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{:.1}%", value * 100.0),
        Unit::Load => format!("{value:.2} a core"),
        Unit::Requests => format!("{value}"),
        Unit::Burst => format!("{value} of the burst"),
        Unit::Seconds => span(value),
    }
}
