//! A gate as `status`, `GET /gates/NAME` and the metrics show it.

use std::time::SystemTime;

use floodwall_config::Draw;
use serde::{Deserialize, Serialize};

use super::{Gate, Journal};

/// One gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateStatus {
    pub name: String,
    /// `before`, `open` or `closed`, by the wall clock.
    pub phase: String,
    pub opens: Option<String>,
    pub closes: Option<String>,
    /// The share that is drawn.
    pub admit: String,
    /// `random` or `fixed`.
    pub draw: String,
    /// Who has a place now.
    pub admitted: u64,
    pub max_admitted: Option<u64>,
    /// Whether who is in is written to the `state` folder; if not, why.
    pub kept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_kept_because: Option<String>,
    /// Requests let in, those of the same guest each.
    pub let_in: u64,
    pub refused: RefusedCounts,
}

/// Requests that were not let in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedCounts {
    pub before: u64,
    pub after: u64,
    pub not_drawn: u64,
    pub nameless: u64,
    pub full: u64,
    pub unrecorded: u64,
}

impl RefusedCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self {
            before,
            after,
            not_drawn,
            nameless,
            full,
            unrecorded,
        } = self;
        before + after + not_drawn + nameless + full + unrecorded
    }
}

impl GateStatus {
    pub fn of(gate: &Gate, journal: &Journal, now: SystemTime) -> Self {
        let (config, counts) = (&gate.config, &gate.guests.counts);
        let unkept = journal.unkept();
        Self {
            name: config.name.clone(),
            phase: phase(gate, now).to_owned(),
            opens: config.opens.map(|moment| moment.to_string()),
            closes: config.closes.map(|moment| moment.to_string()),
            admit: config.admit.to_string(),
            draw: match config.draw {
                Draw::Random => "random".to_owned(),
                Draw::Fixed => "fixed".to_owned(),
            },
            admitted: gate.guests.admitted(),
            max_admitted: config.max_admitted,
            kept: unkept.is_none(),
            not_kept_because: unkept.map(|why| why.to_string()),
            let_in: counts.let_in.get(),
            refused: RefusedCounts {
                before: counts.before.get(),
                after: counts.after.get(),
                not_drawn: counts.not_drawn.get(),
                nameless: counts.nameless.get(),
                full: counts.full.get(),
                unrecorded: counts.unrecorded.get(),
            },
        }
    }
}

fn phase(gate: &Gate, now: SystemTime) -> &'static str {
    let at = |moment: floodwall_config::units::Moment| moment.on_the_wall_clock();
    if gate.config.opens.map(at).is_some_and(|opens| now < opens) {
        "before"
    } else if gate
        .config
        .closes
        .map(at)
        .is_some_and(|closes| closes <= now)
    {
        "closed"
    } else {
        "open"
    }
}
