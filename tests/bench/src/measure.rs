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
mod train;

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

/// What must be named to be run.
const OTHERS: [(&str, Measure); 1] = [("train", train::measure)];

/// Those that are named, or all measurements when none is.
pub(crate) fn chosen(wanted: &[String]) -> anyhow::Result<Vec<(&'static str, Measure)>> {
    let known = || ALL.into_iter().chain(OTHERS);
    let names: Vec<&str> = known().map(|(name, _)| name).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        bail!(
            "there is no measurement {unknown}; there are {}",
            names.join(", ")
        );
    }
    if wanted.is_empty() {
        return Ok(ALL.to_vec());
    }
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == name);
    Ok(known().filter(|(name, _)| is_wanted(name)).collect())
}
