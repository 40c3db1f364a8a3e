//! The proxy's work by kind of traffic, beside nginx, HAProxy and Envoy: requests for each CPU-second of the server,
//! and what a request takes while its server is as busy as it can be. No limits: that is another measurement.

use std::{net::SocketAddr, path::Path, time::Duration};

use floodwall_tests::Loopback;

use crate::{
    Bench,
    contender::{Certificate, Contender, Job, LARGE, Limits, Running, origin},
    cpu,
    h2load::Streams,
    load::{Load, Outcome},
    report::Row,
    rounds::{median, spread_percent},
};

/// What clients ask for, and how.
pub(super) struct Traffic {
    pub(super) name: &'static str,
    what: [&'static str; 2],
    asked: Asked,
}

enum Asked {
    Wrk(Load),
    Http2(Streams),
}

struct Entrant {
    contender: Contender,
    job: Job,
    running: Running<'static>,
}

/// What one turn gave.
struct Turn {
    per_cpu_second: f64,
    p50: f64,
    p99: f64,
}

/// The middle of an entrant's turns.
struct Figures {
    per_cpu_second: f64,
    p50: f64,
    p99: f64,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let certificate = Certificate::make()?;
    let folder = tempfile::tempdir()?;
    let start = |tls| {
        Contender::PROXIES
            .into_iter()
            .map(|contender| {
                let job = Job {
                    tls,
                    ..Job::new(Loopback::free(), to, Limits::None)
                };
                let running = bench.cores.on_server(|| contender.start(&job))?;
                Ok(Entrant {
                    contender,
                    job,
                    running,
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let (plain, tls) = (start(None)?, start(Some(certificate))?);
    for traffic in traffics() {
        let entrants = if traffic.is_encrypted() { &tls } else { &plain };
        let effort = bench.effort;
        let turns = effort.alternate(entrants, |entrant| {
            let before = cpu::of_family(entrant.running.pid())?;
            let outcome = traffic.run(entrant.job.listen, effort.turn, folder.path())?;
            let used = cpu::of_family(entrant.running.pid())? - before;
            anyhow::ensure!(
                outcome.refused + outcome.failed == 0,
                "{} {}: refused or lost requests: {outcome:?}",
                traffic.name,
                entrant.contender.name()
            );
            Ok(Turn {
                per_cpu_second: outcome.responses as f64 / (used as f64 / 1e9),
                p50: outcome.p50,
                p99: outcome.p99,
            })
        })?;
        let figures: Vec<Figures> = entrants
            .iter()
            .zip(&turns)
            .map(|(entrant, turns)| figures(&traffic, entrant, turns))
            .collect();
        report(bench, &traffic, &figures);
    }
    Ok(())
}

/// The kinds of traffic, in the order of the report.
pub(super) fn traffics() -> [Traffic; 6] {
    let encrypted = |load| Load {
        scheme: "https",
        ..load
    };
    let large = Load {
        path: LARGE,
        ..Load::kept(32)
    };
    [
        Traffic {
            name: "small",
            what: [
                "small responses, keep-alive: requests for each CPU-second",
                "the same: p50 / p99 at full load",
            ],
            asked: Asked::Wrk(Load::kept(64)),
        },
        Traffic {
            name: "large",
            what: [
                "64 KiB responses: requests for each CPU-second",
                "the same: p50 / p99",
            ],
            asked: Asked::Wrk(large),
        },
        Traffic {
            name: "fresh",
            what: [
                "a connection for each request: requests for each CPU-second",
                "the same: p50 / p99",
            ],
            asked: Asked::Wrk(Load::fresh(64)),
        },
        Traffic {
            name: "tls",
            what: [
                "TLS, keep-alive: requests for each CPU-second",
                "the same: p50 / p99",
            ],
            asked: Asked::Wrk(encrypted(Load::kept(64))),
        },
        Traffic {
            name: "tls-fresh",
            what: [
                "a TLS connection for each request: requests for each CPU-second",
                "the same: p50 / p99",
            ],
            asked: Asked::Wrk(encrypted(Load::fresh(64))),
        },
        Traffic {
            name: "http2",
            what: [
                "HTTP/2, 8 streams on each connection: requests for each CPU-second",
                "the same: p50 / p99",
            ],
            asked: Asked::Http2(Streams {
                connections: 16,
                each: 8,
            }),
        },
    ]
}

impl Traffic {
    pub(super) fn is_encrypted(&self) -> bool {
        match &self.asked {
            Asked::Wrk(load) => load.scheme == "https",
            Asked::Http2(_) => true,
        }
    }

    /// Asks for so long. `folder` is for what the client writes down.
    pub(super) fn run(
        &self,
        server: SocketAddr,
        length: Duration,
        folder: &Path,
    ) -> anyhow::Result<Outcome> {
        match &self.asked {
            Asked::Wrk(load) => load.run(server, length),
            Asked::Http2(streams) => streams.run(server, "/", length, folder),
        }
    }
}

fn figures(traffic: &Traffic, entrant: &Entrant, turns: &[Turn]) -> Figures {
    let per_cpu_second: Vec<f64> = turns.iter().map(|turn| turn.per_cpu_second).collect();
    let figures = Figures {
        per_cpu_second: median(per_cpu_second.iter().copied()),
        p50: median(turns.iter().map(|turn| turn.p50)),
        p99: median(turns.iter().map(|turn| turn.p99)),
    };
    println!(
        "protocols {} {} requests/cpu-s={:.0} +-{:.1}% p50={:.0}us p99={:.0}us",
        traffic.name,
        entrant.contender.name(),
        figures.per_cpu_second,
        spread_percent(&per_cpu_second),
        figures.p50,
        figures.p99
    );
    figures
}

fn report(bench: &mut Bench, traffic: &Traffic, figures: &[Figures]) {
    let [floodwall, nginx, haproxy, envoy] = figures else {
        return;
    };
    let number = |figures: &Figures| format!("{:.0}", figures.per_cpu_second);
    let times = |figures: &Figures| {
        let millis = |micros: f64| micros / 1e3;
        format!("{:.1} / {:.1} ms", millis(figures.p50), millis(figures.p99))
    };
    let [rate, time] = traffic.what;
    let to = |other: &Figures| floodwall.per_cpu_second / other.per_cpu_second;
    bench.report.add(Row {
        what: rate,
        floodwall: number(floodwall),
        nginx: number(nginx),
        haproxy: number(haproxy),
        envoy: number(envoy),
        ratio: format!(
            "{:.2} x nginx, {:.2} x HAProxy, {:.2} x Envoy",
            to(nginx),
            to(haproxy),
            to(envoy)
        ),
        goal: ">= 1.0 x",
    });
    bench.report.add(Row {
        what: time,
        floodwall: times(floodwall),
        nginx: times(nginx),
        haproxy: times(haproxy),
        envoy: times(envoy),
        ..Row::default()
    });
}
