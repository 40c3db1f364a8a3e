//! CPU for one refusal: an abuser far over its limit, on connections that it keeps and on fresh ones, which the
//! server answers with 429; and once it is blocked, when the kernel drops its packets.

use floodwall_tests::Loopback;

use crate::{
    Bench,
    contender::{Contender, Job, Limits, Running, origin},
    cpu,
    load::Load,
    report::{Row, ratios},
    rounds::{median, spread_percent},
};

mod blocked;

/// Low enough that nearly everything is refused.
const RATE: u32 = 10;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let kept = micros(bench, "kept", &Load::kept(32))?;
    let fresh = micros(bench, "fresh", &Load::fresh(32))?;
    report(bench, "CPU for a 429, connection kept", kept);
    report(bench, "CPU for a 429 on a connection of its own", fresh);
    let blocked = blocked::cost(bench)?;
    for (what, cost, goal) in [
        (
            "CPU for one more packet of a blocked source, whole machine, beside their 429 (kept / fresh)",
            blocked.whole / 1e3,
            "",
        ),
        (
            "the same without its way across the cable: the program alone",
            blocked.program / 1e3,
            "<= 1/50",
        ),
    ] {
        bench.report.add(beside(what, cost, goal, kept, fresh));
    }
    Ok(())
}

/// What a blocked packet costs, beside what the others' refusals do.
fn beside(
    what: &'static str,
    cost: f64,
    goal: &'static str,
    [_, nginx, haproxy]: [f64; 3],
    [_, nginx_fresh, haproxy_fresh]: [f64; 3],
) -> Row {
    let part = |theirs: f64| format!("1/{:.0}", theirs / cost);
    Row {
        what,
        floodwall: format!("{cost:.2} us"),
        nginx: format!("{nginx:.1} / {nginx_fresh:.1} us"),
        haproxy: format!("{haproxy:.1} / {haproxy_fresh:.1} us"),
        ratio: format!(
            "{} / {} of nginx, {} / {} of HAProxy",
            part(nginx),
            part(nginx_fresh),
            part(haproxy),
            part(haproxy_fresh)
        ),
        goal,
        ..Row::default()
    }
}

fn report(bench: &mut Bench, what: &'static str, [floodwall, nginx, haproxy]: [f64; 3]) {
    let each = |value: f64| format!("{value:.1} us");
    bench.report.add(Row {
        what,
        floodwall: each(floodwall),
        nginx: each(nginx),
        haproxy: each(haproxy),
        ratio: ratios(floodwall, nginx, haproxy),
        ..Row::default()
    });
}

/// Microseconds of each contender's CPU for a refusal.
fn micros(bench: &Bench, kind: &str, load: &Load) -> anyhow::Result<[f64; 3]> {
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let entrants = Contender::ALL.map(|contender| {
        let job = Job::new(Loopback::free(), to, Limits::PerClient(RATE));
        let running = bench.cores.on_server(|| contender.start(&job));
        running.map(|running: Running<'static>| (contender, job, running))
    });
    let entrants: Vec<_> = entrants.into_iter().collect::<anyhow::Result<_>>()?;
    let turns = bench
        .effort
        .alternate(&entrants, |(contender, job, running)| {
            let before = cpu::of_family(running.pid())?;
            let outcome = load.run(job.listen, bench.effort.turn)?;
            let used = cpu::of_family(running.pid())? - before;
            let admitted = outcome.served() as f64 / outcome.responses as f64;
            anyhow::ensure!(
                admitted < 0.05,
                "{} admitted {admitted:.2} of the requests: {outcome:?}",
                contender.name()
            );
            Ok(used as f64 / 1e3 / outcome.refused as f64)
        })?;
    let mut figures = [0.0; 3];
    for ((figure, turns), contender) in figures.iter_mut().zip(&turns).zip(Contender::ALL) {
        *figure = median(turns.iter().copied());
        println!(
            "refused/{kind} {} cpu={figure:.2}us +-{:.1}%",
            contender.name(),
            spread_percent(turns)
        );
    }
    Ok(figures)
}
