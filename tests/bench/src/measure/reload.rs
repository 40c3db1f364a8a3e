//! Reloading ten thousand rules in both layers while requests are served.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use floodwall_tests::{Instance, Yaml, wait};

use crate::{
    Bench,
    cable::{Cable, SERVER},
    contender::{Contender, Job, Limits, Running, origin, prefilter, yaml},
    load::Load,
    report::Row,
    rounds::median,
};

const LIMITS: u32 = 1000;
const ROUTES: u32 = 4000;
const DENIED: u32 = 5000;

const RELOADS: u32 = 11;
const QUICK_RELOADS: u32 = 3;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let cable = Cable::lay(1)?;
    let instance = Instance::claim();
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000));
    let cores = bench.cores;
    let _origin = cores.on_origin(|| cable.server.run(|| origin(to)))?;
    let job = Job::new(SERVER.into(), to, Limits::PerClient(1_000_000));
    let running = cores
        .on_server(|| Contender::Floodwall.start_on(&cable.server, &job, &prefilter(&instance)))?;
    let Running::Floodwall(floodwall) = &running else {
        anyhow::bail!("only Floodwall has two layers");
    };
    let reloads = if bench.effort.quick {
        QUICK_RELOADS
    } else {
        RELOADS
    };
    let length = Duration::from_secs(u64::from(reloads) + 2);
    let (outcome, spans) = thread::scope(|scope| {
        let loading = scope.spawn(|| {
            cable
                .client
                .run(|| Load::kept(32).run(SERVER.into(), length))
        });
        let spans = (0..reloads)
            .map(|number| {
                let next = Instant::now() + Duration::from_secs(1);
                floodwall.write(&Yaml::new(file(&job, &instance, number)));
                let answer = floodwall.reload();
                anyhow::ensure!(answer.code == Some(0), "not reloaded: {}", answer.stderr);
                wait::for_the_clock(next);
                milliseconds(&answer.stdout).with_context(|| answer.stdout.clone())
            })
            .collect::<anyhow::Result<Vec<f64>>>();
        (loading.join(), spans)
    });
    let spans = spans?;
    let outcome = match outcome {
        Ok(outcome) => outcome?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let (span, failed) = (
        median(spans.iter().copied()),
        outcome.failed + outcome.refused,
    );
    let longest = spans.iter().copied().fold(0.0, f64::max);
    println!(
        "reload rules={} p50={span:.1}ms longest={longest:.1}ms reloads={reloads} requests={} failed={failed}",
        LIMITS + ROUTES + DENIED,
        outcome.responses
    );
    bench.report.add(Row {
        what: "reload of 10,000 rules in both layers, under load",
        floodwall: format!(
            "{span:.0} ms, {failed} of {} requests failed",
            outcome.responses
        ),
        goal: "< 100 ms, 0 failed",
        ..Row::default()
    });
    Ok(())
}

/// The job's file with ten thousand rules, none of which concerns the load; every one of them is new.
fn file(job: &Job, instance: &Instance, number: u32) -> String {
    let rate = 100 + number;
    let limits: Vec<String> = (0..LIMITS)
        .map(|limit| format!("  limit-{limit}: {{ key: client, rate: {rate}/s }}\n"))
        .collect();
    let routes: Vec<String> = (0..ROUTES)
        .map(|route| {
            let (path, limit) = (format!("/{number}/{route}"), route % LIMITS);
            format!("  - {{ name: route-{route}, match: {{ path: {path} }}, limits: [limit-{limit}], upstream: app }}\n")
        })
        .collect();
    let denied: Vec<String> = (0..DENIED)
        .map(|net| {
            let [.., middle, low] = net.to_be_bytes();
            Ipv4Addr::new(100, 64 + number.to_be_bytes()[3] % 64, middle, low).to_string()
        })
        .collect();
    let prefilter = prefilter(instance).replace(
        "interfaces",
        &format!("deny: [{}], interfaces", denied.join(", ")),
    );
    yaml(job)
        .with("limits:\n", format!("limits:\n{}", limits.concat()))
        .with("routes: [", format!("routes:\n{}  - ", routes.concat()))
        .with("upstream: app }]", "upstream: app }")
        .and(&prefilter)
        .text()
        .to_owned()
}

/// `...: reloaded in 12.3 ms, ...`
fn milliseconds(said: &str) -> Option<f64> {
    let (_, rest) = said.split_once("reloaded in ")?;
    rest.split_once(" ms")?.0.parse().ok()
}
