//! A good client while an abuser floods: twenty requests a second from another host, over the same wire.
//!
//! Two floods: HTTP requests on fresh connections, as many as can be, and bare connection attempts.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Host, Instance, Request, Wire, wait};

use crate::{
    Bench,
    contender::{Contender, Job, Limits, origin, prefilter},
    load::Load,
    packet::Knocker,
    report::Row,
    rounds::{Effort, median, percentile},
};

const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 76, 0, 1), 8080);
const GOOD: &str = "10.76.0.2/24";
const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 76, 0, 3);

/// What the contract's edge example allows.
const RATE: u32 = 50;
const BLOCK: &str = "{ after: 20, within: 10s, for: 1m, max: 1h }";
const SYN_LIMIT: &str = "limits: { syn-per-source: { match: { protocol: tcp, ports: [8080], syn: true }, key: source, rate: 200/s, burst: 400 } }";

/// The good client's pace, and its patience for one answer.
const EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(1);

/// What the flood has for itself before anything is counted.
const LEAD: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    Quiet,
    Requests,
    Knocks,
}

struct Hosts {
    server: Host,
    good: Host,
    abuser: Host,
}

/// What the good client met.
#[derive(Debug)]
struct Met {
    served_percent: f64,
    /// Of the served ones.
    slow_ms: f64,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let wire = Wire::new();
    let hosts = Hosts {
        server: wire.host(&[&format!("{}/24", SERVER.ip())]),
        good: wire.host(&[GOOD]),
        abuser: wire.host(&[&format!("{ABUSER}/24")]),
    };
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000));
    let cores = bench.cores;
    let _origin = cores.on_origin(|| hosts.server.run(|| origin(to)))?;
    // One turn each is long enough to be repeated less often.
    let effort = Effort {
        rounds: if bench.effort.quick { 1 } else { 5 },
        ..bench.effort
    };
    let entrants: Vec<(Flood, Contender)> = [Flood::Quiet, Flood::Requests, Flood::Knocks]
        .into_iter()
        .flat_map(|flood| Contender::ALL.map(|contender| (flood, contender)))
        .collect();
    let turns = effort.alternate(&entrants, |(flood, contender)| {
        turn(bench, &hosts, to, *flood, *contender)
    })?;
    let mut figures = Vec::new();
    for ((flood, contender), turns) in entrants.iter().zip(&turns) {
        let served = median(turns.iter().map(|met| met.served_percent));
        let slow = median(turns.iter().map(|met| met.slow_ms));
        println!(
            "flood/{flood:?} {} served={served:.1}% p99={slow:.1}ms",
            contender.name()
        );
        figures.push(format!("{served:.0} %, {slow:.1} ms"));
    }
    for (what, figures) in WHATS.iter().zip(figures.chunks_exact(3)) {
        bench.report.add(Row {
            what,
            floodwall: figures[0].clone(),
            nginx: figures[1].clone(),
            haproxy: figures[2].clone(),
            goal: ">= 95 % of quiet",
            ..Row::default()
        });
    }
    Ok(())
}

const WHATS: [&str; 3] = [
    "a good client's requests served, and its 99th percentile: quiet",
    "the same during a flood of requests",
    "the same during a flood of SYNs",
];

/// One contender, one flood. The server is fresh each time: blocks do not last from one turn to the next.
fn turn(
    bench: &Bench,
    hosts: &Hosts,
    to: SocketAddr,
    flood: Flood,
    contender: Contender,
) -> anyhow::Result<Met> {
    let instance = Instance::claim();
    let job = Job {
        block: Some(BLOCK),
        ..Job::new(SERVER.into(), to, Limits::PerClient(RATE))
    };
    let more = prefilter(&instance).replace("required", &format!("{SYN_LIMIT}, required"));
    let _running = bench
        .cores
        .on_server(|| contender.start_on(&hosts.server, &job, &more))?;
    let length = 2 * bench.effort.turn;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flooding = scope.spawn(|| hosts.abuser.run(|| attack(flood, LEAD + length, &over)));
        wait::for_the_clock(Instant::now() + LEAD);
        let met = hosts.good.run(|| behave(length));
        over.store(true, Relaxed);
        match flooding.join() {
            Ok(attacked) => attacked.map(|()| met),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn attack(flood: Flood, length: Duration, over: &AtomicBool) -> anyhow::Result<()> {
    match flood {
        Flood::Quiet => {}
        // What becomes of the abuser's requests is none of our concern; wrk may find nobody to talk to.
        Flood::Requests => {
            Load::fresh(128).command(SERVER.into(), length).output()?;
        }
        Flood::Knocks => {
            let mut knocker = Knocker::new(ABUSER, SERVER)?;
            let mut port = 0;
            while !over.load(Relaxed) {
                knocker.knock(port)?;
                port = port.wrapping_add(1);
            }
        }
    }
    Ok(())
}

fn behave(length: Duration) -> Met {
    let client = Client::of(SERVER.into()).patient_for(PATIENCE);
    let answers = wait::paced(EVERY, length, || {
        let asked = Instant::now();
        let served = client
            .try_send(&Request::get("/"))
            .is_ok_and(|response| response.status == 200);
        served.then(|| asked.elapsed().as_secs_f64() * 1e3)
    });
    // At its pace so many were due; what waited for an answer in vain could not ask in the meantime.
    let due = length.as_secs_f64() / EVERY.as_secs_f64();
    let served: Vec<f64> = answers.into_iter().flatten().collect();
    Met {
        served_percent: 100.0 * served.len() as f64 / due,
        slow_ms: percentile(served, 99),
    }
}
