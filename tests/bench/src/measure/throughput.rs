//! Requests a second, and for each CPU-second of the server: a proxy with keep-alive on both sides and a small
//! response, with a limit for each client that is never reached. Floodwall also without limits and with five,
//! which is what its limiter costs.

use floodwall_tests::Loopback;

use crate::{
    Bench,
    contender::{Contender, Job, Limits, Running, origin},
    cpu,
    load::Load,
    report::{Row, ratios},
    rounds::{median, spread_percent},
};

/// Nobody comes near it.
const NEVER: u32 = 1_000_000;

struct Entrant {
    name: &'static str,
    job: Job,
    running: Running<'static>,
}

/// What one turn gave.
struct Turn {
    per_second: f64,
    per_cpu_second: f64,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let entrant = |name, contender: Contender, limits| {
        let job = Job::new(Loopback::free(), to, limits);
        let running = bench.cores.on_server(|| contender.start(&job))?;
        anyhow::Ok(Entrant { name, job, running })
    };
    let entrants = [
        entrant("floodwall", Contender::Floodwall, Limits::PerClient(NEVER))?,
        entrant("nginx", Contender::Nginx, Limits::PerClient(NEVER))?,
        entrant("haproxy", Contender::HaProxy, Limits::PerClient(NEVER))?,
        entrant("floodwall-no-limit", Contender::Floodwall, Limits::None)?,
        entrant(
            "floodwall-5-limits",
            Contender::Floodwall,
            Limits::Several(5, NEVER),
        )?,
    ];
    let load = Load::kept(64);
    let turns = bench.effort.alternate(&entrants, |entrant| {
        let before = cpu::of_family(entrant.running.pid())?;
        let outcome = load.run(entrant.job.listen, bench.effort.turn)?;
        let used = cpu::of_family(entrant.running.pid())? - before;
        anyhow::ensure!(
            outcome.refused + outcome.failed == 0,
            "{} refused or lost requests: {outcome:?}",
            entrant.name
        );
        let responses = outcome.responses as f64;
        Ok(Turn {
            per_second: responses / outcome.seconds,
            per_cpu_second: responses / (used as f64 / 1e9),
        })
    })?;
    let figures: Vec<(f64, f64)> = entrants
        .iter()
        .zip(&turns)
        .map(|(entrant, turns)| figures(entrant.name, turns))
        .collect();
    if let [floodwall, nginx, haproxy, none, five] = figures[..] {
        report(bench, floodwall, nginx, haproxy);
        report_limiter(bench, none.1, five.1);
    }
    Ok(())
}

fn figures(name: &str, turns: &[Turn]) -> (f64, f64) {
    let per_second: Vec<f64> = turns.iter().map(|turn| turn.per_second).collect();
    let per_cpu_second: Vec<f64> = turns.iter().map(|turn| turn.per_cpu_second).collect();
    let medians = (
        median(per_second.iter().copied()),
        median(per_cpu_second.iter().copied()),
    );
    println!(
        "throughput {name} requests/s={:.0} +-{:.1}% requests/cpu-s={:.0} +-{:.1}%",
        medians.0,
        spread_percent(&per_second),
        medians.1,
        spread_percent(&per_cpu_second)
    );
    medians
}

fn report(bench: &mut Bench, floodwall: (f64, f64), nginx: (f64, f64), haproxy: (f64, f64)) {
    let number = |value: f64| format!("{value:.0}");
    bench.report.add(Row {
        what: "proxy + limit per client, one core: requests/s",
        floodwall: number(floodwall.0),
        nginx: number(nginx.0),
        haproxy: number(haproxy.0),
        ratio: ratios(floodwall.0, nginx.0, haproxy.0),
        ..Row::default()
    });
    bench.report.add(Row {
        what: "the same: requests for each CPU-second",
        floodwall: number(floodwall.1),
        nginx: number(nginx.1),
        haproxy: number(haproxy.1),
        ratio: ratios(floodwall.1, nginx.1, haproxy.1),
        goal: ">= 1.0 x",
        ..Row::default()
    });
}

fn report_limiter(bench: &mut Bench, none: f64, five: f64) {
    let cost = 100.0 * (none / five - 1.0);
    println!("throughput limiter-cost five-limits={cost:.1}%");
    bench.report.add(Row {
        what: "CPU that five limits add to a proxied request",
        floodwall: format!("{cost:.1} %"),
        goal: "< 1 %",
        ..Row::default()
    });
}
