//! How full gates are.

use super::{Cell, Row, Tone};
use crate::{cli::top::rates::Rates, gate::GateStatus, status::Status};

pub(super) fn rows(status: &Status, rates: Option<&Rates>) -> (&'static [&'static str], Vec<Row>) {
    const COLUMNS: &[&str] = &[
        "GATE",
        "PHASE",
        "FILL",
        "IN>",
        "PLACES>",
        "LET IN/S>",
        "REFUSED/S>",
        "REFUSED>",
    ];
    let rows = status.gates.iter().enumerate().map(|(at, gate)| {
        let rates = rates.and_then(|rates| rates.gates.get(at));
        let is_full = gate.max_admitted.is_some_and(|most| gate.admitted >= most);
        let cells = vec![
            Cell::words(&gate.name),
            Cell::words(&gate.phase),
            fill(gate),
            Cell::count(gate.admitted),
            gate.max_admitted
                .map_or_else(|| Cell::words("any"), Cell::count),
            Cell::rate(rates.map(|rates| rates.let_in_per_second)),
            Cell::rate(rates.map(|rates| rates.refused_per_second)),
            Cell::count(gate.refused.total()),
        ];
        Row::new(&gate.name, cells)
            .tinted(Tone::Notable, is_full)
            .tinted(Tone::Bad, !gate.kept)
    });
    (COLUMNS, rows.collect())
}

/// A bar of ten, and the share.
fn fill(gate: &GateStatus) -> Cell {
    const TENTHS: u64 = 10;
    let Some(most) = gate.max_admitted else {
        return Cell::words("");
    };
    // A gate without places is full.
    let (taken, most) = if most == 0 {
        (1, 1)
    } else {
        (gate.admitted.min(most), most)
    };
    let tenths = usize::try_from(taken.saturating_mul(TENTHS) / most).unwrap_or(0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share is shown in whole percent"
    )]
    let share = taken as f64 / most as f64;
    let bar = format!(
        "[{:<10}] {:>3.0}%",
        "#".repeat(tenths),
        (share * 100.0).floor()
    );
    Cell::number(bar, share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::sample;

    #[test]
    fn a_bar_is_full_only_when_the_gate_is() {
        for (admitted, most, bar) in [
            (0, 100, "[          ]   0%"),
            (99, 100, "[######### ]  99%"),
            (199, 200, "[######### ]  99%"),
            (100, 100, "[##########] 100%"),
            (0, 0, "[##########] 100%"),
        ] {
            let sample = sample(1.0, |status| {
                status.gates[0].admitted = admitted;
                status.gates[0].max_admitted = Some(most);
            });
            let (_, rows) = rows(&sample.status, None);
            assert_eq!(rows[0].cells[2].text, bar);
        }
    }
}
