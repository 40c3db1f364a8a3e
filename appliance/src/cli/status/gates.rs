//! The gates of `floodwall status`.

use super::Table;
use crate::gate::GateStatus;

pub(super) fn table(gates: &[GateStatus]) -> Table<6> {
    let mut table = Table::new(["GATE", "PHASE", "IN>", "PLACES>", "REFUSED>", "KEPT"]);
    for gate in gates {
        let places = gate.max_admitted;
        table.row([
            gate.name.clone(),
            gate.phase.clone(),
            gate.admitted.to_string(),
            places.map_or_else(|| "any".to_owned(), |most| most.to_string()),
            gate.refused.total().to_string(),
            match &gate.not_kept_because {
                Some(why) => format!("not over a restart: {why}"),
                None => "yes".to_owned(),
            },
        ]);
    }
    table
}
