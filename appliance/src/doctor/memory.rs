//! Memory: whether the flow table has room in the control group.
//!
//! Since Linux 5.11 maps are charged to the control group and not to `RLIMIT_MEMLOCK`, and the pre-filter needs a newer
//! kernel than that.

use std::path::Path;

use floodwall_config::Prefilter;

use super::{Finding, Machine, Patient, Verdict};
use crate::memory::Table;

const AREA: &str = "memory";

/// Bytes of a set of the flow table: one cache line.
const SET: u64 = 64;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let sources = patient
        .config
        .prefilter
        .as_ref()
        .map_or(Prefilter::DEFAULT_SOURCES, |prefilter| {
            prefilter.table_sources
        });
    let table = Table::sets_for(sources) * SET;
    let most = limit(patient.machine, &patient.process());
    vec![judged(table, most, patient.whose())]
}

fn judged(table: u64, most: Option<u64>, whose: &str) -> Finding {
    let table_words = mebibytes(table);
    let Some(most) = most else {
        return Finding::ok(
            AREA,
            "control group",
            format!("no bound; the flow table takes {table_words}"),
        );
    };
    let found = format!(
        "{whose} may have {}; the flow table takes {table_words} of it",
        mebibytes(most)
    );
    let finding = Finding::ok(AREA, "control group", found);
    if table.saturating_mul(2) <= most {
        return finding;
    }
    let verdict = if table >= most {
        Verdict::Problem
    } else {
        Verdict::Warning
    };
    finding.but(
        verdict,
        "connections and the table share this memory, and who takes more is killed",
        "raise MemoryMax= of the unit, or make prefilter.table.sources smaller",
    )
}

/// The least `memory.max` on the way from a process's control group to the root.
fn limit(machine: &Machine, process: &str) -> Option<u64> {
    let groups = machine.text(format!("proc/{process}/cgroup"))?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = Path::new(group).ancestors();
    folders
        .filter_map(|folder| {
            machine.number(Path::new("sys/fs/cgroup").join(folder).join("memory.max"))
        })
        .min()
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::super::machine::fake;
    use super::*;

    #[test]
    fn the_least_bound_on_the_way_up_counts() {
        let (_folder, machine) = fake(&[
            (
                "proc/7/cgroup",
                "1:name=systemd:/x\n0::/system.slice/floodwall.service\n",
            ),
            (
                "sys/fs/cgroup/system.slice/floodwall.service/memory.max",
                "max\n",
            ),
            ("sys/fs/cgroup/system.slice/memory.max", "1048576\n"),
        ]);
        assert_eq!(limit(&machine, "7"), Some(1 << 20));
        assert_eq!(limit(&machine, "8"), None);
    }

    #[test]
    fn a_table_that_takes_most_of_it_is_named() {
        let verdict = |most| judged(16 << 20, most, "the service").verdict;
        assert_eq!(verdict(None), Verdict::Ok);
        assert_eq!(verdict(Some(32 << 20)), Verdict::Ok);
        assert_eq!(verdict(Some(31 << 20)), Verdict::Warning);
        assert_eq!(verdict(Some(16 << 20)), Verdict::Problem);
    }
}
