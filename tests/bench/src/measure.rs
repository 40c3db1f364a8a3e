//! The measurements, in the order in which they are reported.

use anyhow::bail;

use crate::Bench;

mod attack;
mod first_drop;
mod flood;
mod idle;
mod limits;
mod memory;
mod protocols;
mod refused;
mod reload;
mod throughput;

/// Measures something, prints a line for each figure, and adds its rows to the report.
type Measure = fn(&mut Bench) -> anyhow::Result<()>;

const ALL: [(&str, Measure); 10] = [
    ("throughput", throughput::measure),
    ("protocols", protocols::measure),
    ("idle", idle::measure),
    ("limits", limits::measure),
    ("attack", attack::measure),
    ("refused", refused::measure),
    ("first-drop", first_drop::measure),
    ("memory", memory::measure),
    ("flood", flood::measure),
    ("reload", reload::measure),
];

/// Those that are named, or all when none is.
pub(crate) fn chosen(wanted: &[String]) -> anyhow::Result<Vec<(&'static str, Measure)>> {
    let names = ALL.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        bail!(
            "there is no measurement {unknown}; there are {}",
            names.join(", ")
        );
    }
    let chosen = ALL
        .into_iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name));
    Ok(chosen.collect())
}
