//! What limits add to a proxied request: none, one, five and twenty of them, none of which is ever reached.

use floodwall_tests::Loopback;

use crate::{
    Bench,
    contender::{Contender, Job, Limits, Running, origin},
    cpu,
    load::Load,
    report::Row,
    rounds::{median, spread_percent},
};

const COUNTS: [usize; 4] = [0, 1, 5, 20];

/// Nobody comes near it.
const NEVER: u32 = 1_000_000;

struct Entrant {
    limits: usize,
    job: Job,
    running: Running<'static>,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let mut entrants = Vec::new();
    for limits in COUNTS {
        let several = Limits::Several(limits, NEVER);
        let job = Job::new(Loopback::free(), to, several);
        let running = bench.cores.on_server(|| Contender::Floodwall.start(&job))?;
        entrants.push(Entrant {
            limits,
            job,
            running,
        });
    }
    let load = Load::kept(64);
    let turns = bench.effort.alternate(&entrants, |entrant| {
        let before = cpu::of_family(entrant.running.pid())?;
        let outcome = load.run(entrant.job.listen, bench.effort.turn)?;
        let used = cpu::of_family(entrant.running.pid())? - before;
        anyhow::ensure!(outcome.refused + outcome.failed == 0, "{outcome:?}");
        Ok(used as f64 / outcome.responses as f64)
    })?;
    let mut without = f64::NAN;
    for (entrant, nanos) in entrants.iter().zip(&turns) {
        let cost = median(nanos.iter().copied());
        if entrant.limits == 0 {
            without = cost;
        }
        let share = 100.0 * (cost - without) / cost;
        println!(
            "limits {} cpu/request={:.2}us +-{:.1}% of-it-limits={share:.1}%",
            entrant.limits,
            cost / 1e3,
            spread_percent(nanos)
        );
        let what = match entrant.limits {
            0 => continue,
            1 => "the limiter's share of a proxied request's CPU: one limit",
            5 => "the same: five limits",
            _ => "the same: twenty limits",
        };
        bench.report.add(Row {
            what,
            floodwall: format!("{share:.1} %"),
            goal: if entrant.limits == 5 { "< 1 %" } else { "" },
            ..Row::default()
        });
    }
    Ok(())
}
