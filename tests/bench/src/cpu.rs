//! What processes and the machine have used, as /proc tells it.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::Context as _;

/// CPU time of a process and its children, in nanoseconds: the scheduler's own sum, finer than utime and stime.
pub(crate) fn of_family(pid: u32) -> anyhow::Result<u64> {
    let mut used = 0;
    for process in family(pid)? {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            used += of_thread(&thread?.path())?;
        }
    }
    Ok(used)
}

fn of_thread(task: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    let first = text
        .split_whitespace()
        .next()
        .context("an empty schedstat")?;
    Ok(first.parse()?)
}

/// Memory of a process and its children that lies in RAM, in bytes; what several share counts once.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let mut kib = 0;
    for process in family(pid)? {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        kib += number.context("no Pss")?.parse::<u64>()?;
    }
    Ok(kib * 1024)
}

/// A process and all its descendants.
fn family(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut known = vec![pid];
    let mut next = 0;
    while let Some(&parent) = known.get(next) {
        next += 1;
        for thread in fs::read_dir(format!("/proc/{parent}/task"))? {
            let children = fs::read_to_string(thread?.path().join("children"))?;
            for child in children.split_whitespace() {
                known.push(child.parse()?);
            }
        }
    }
    Ok(known)
}

/// Says on what the figures were measured.
pub(crate) fn print_machine() -> anyhow::Result<()> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let models: Vec<&str> = cpuinfo
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .collect();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    println!(
        "machine: {} cores, {}, Linux {}",
        models.len(),
        models.first().unwrap_or(&"of unknown kind"),
        kernel.trim()
    );
    Ok(())
}

/// How busy the machine is with other work, watched for half a second in which we do nothing.
pub(crate) fn noise() -> anyhow::Result<String> {
    let before = Ticks::now()?;
    thread::sleep(Duration::from_millis(500));
    let after = Ticks::now()?;
    let share = |part: fn(&Ticks) -> u64| {
        let all = after.all.saturating_sub(before.all).max(1);
        100.0 * (part(&after) - part(&before)) as f64 / all as f64
    };
    let busy = 100.0 - share(|ticks| ticks.idle);
    Ok(format!(
        "other work {busy:.0} % of all cores, stolen {:.0} %",
        share(|ticks| ticks.stolen)
    ))
}

/// The first line of /proc/stat.
struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
}

impl Ticks {
    fn now() -> anyhow::Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().context("an empty /proc/stat")?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
        // user nice system idle iowait irq softirq steal; guests are in user already.
        Ok(Self {
            all: (0..8).map(at).sum(),
            idle: at(3) + at(4),
            stolen: at(7),
        })
    }
}
