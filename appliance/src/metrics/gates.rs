//! The gates.

use std::fmt;

use super::Page;
use crate::gate::GateStatus;

pub(super) fn write(gates: &[GateStatus], page: &mut Page<'_>) -> fmt::Result {
    let verdicts = gates.iter().flat_map(|gate| {
        let refused = &gate.refused;
        [
            ("let_in", gate.let_in),
            ("before", refused.before),
            ("after", refused.after),
            ("not_drawn", refused.not_drawn),
            ("nameless", refused.nameless),
            ("full", refused.full),
            ("unrecorded", refused.unrecorded),
        ]
        .map(|(verdict, count)| ([("gate", gate.name.as_str()), ("verdict", verdict)], count))
    });
    page.counter("gate_requests", "Requests by gate and verdict", verdicts)?;
    let by_name = |of: fn(&GateStatus) -> Option<u64>| {
        let gates = gates.iter();
        gates.filter_map(move |gate| Some(([("gate", gate.name.as_str())], of(gate)?)))
    };
    page.gauge(
        "gate_admitted",
        "Who has a place behind a gate",
        by_name(|gate| Some(gate.admitted)),
    )?;
    page.gauge(
        "gate_max_admitted",
        "Places behind a gate, where they are bounded",
        by_name(|gate| gate.max_admitted),
    )?;
    page.gauge(
        "gate_open",
        "1 between the times of a gate, 0 before it opens and after it has closed",
        by_name(|gate| Some(u64::from(gate.phase == "open"))),
    )?;
    page.gauge(
        "gate_kept",
        "0 when who is in is not written to the state folder",
        by_name(|gate| Some(u64::from(gate.kept))),
    )
}
