//! What the last reloads changed.

use crate::{
    cli::table::Table,
    reload::{Outcome, Passage},
};

/// So many reloads, and so many lines of each; `status --json` has more of both.
const SHOWN: usize = 5;
const LINES: usize = 3;

/// The last reloads; a process that has only started has none to tell of.
pub(super) fn table(history: &[Passage]) -> Table<4> {
    let mut table = Table::new(["RELOADS", "GENERATION>", "AT", "CHANGES"]);
    let reloads = history
        .iter()
        .filter(|passage| passage.outcome != Outcome::Started);
    for passage in reloads.take(SHOWN) {
        let (outcome, lines) = match passage.outcome {
            Outcome::Refused => ("refused", &passage.problems),
            Outcome::Started | Outcome::Taken => ("taken", &passage.changes),
        };
        let mut told = lines.iter().take(LINES).cloned();
        table.row([
            outcome.to_owned(),
            passage.generation.to_string(),
            passage.at.clone(),
            told.next().unwrap_or_else(|| "nothing".to_owned()),
        ]);
        let mut below = |text| table.row([String::new(), String::new(), String::new(), text]);
        told.for_each(&mut below);
        let more = lines.len().saturating_sub(LINES) + passage.left_out;
        if more > 0 {
            below(format!("and {more} more"));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reload_says_what_it_changed() {
        let passage = |generation, outcome, lines: &[&str], left_out| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let refused = outcome == Outcome::Refused;
            Passage {
                at: "2026-01-02T03:04:05Z".to_owned(),
                generation,
                outcome,
                changes: if refused { vec![] } else { lines.clone() },
                problems: if refused { lines } else { vec![] },
                left_out,
            }
        };
        let history = [
            passage(
                2,
                Outcome::Taken,
                &["a: 1 -> 2", "b: added", "c: added", "d: added"],
                7,
            ),
            passage(1, Outcome::Refused, &["f.yaml:1:2: a: wrong"], 0),
            passage(1, Outcome::Taken, &[], 0),
            passage(1, Outcome::Started, &[], 0),
        ];
        let mut out = Vec::new();
        table(&history).write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\
RELOADS  GENERATION  AT                    CHANGES
taken             2  2026-01-02T03:04:05Z  a: 1 -> 2
                                           b: added
                                           c: added
                                           and 8 more
refused           1  2026-01-02T03:04:05Z  f.yaml:1:2: a: wrong
taken             1  2026-01-02T03:04:05Z  nothing
"
        );
    }
}
