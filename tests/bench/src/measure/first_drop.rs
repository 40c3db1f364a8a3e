//! From the refusal that triggers a block to the first packet that the kernel drops.
//!
//! The abuser sends datagrams to the listener's port without a pause, each with its number, and in their midst the
//! one request too many. A socket behind the filter notes the last number that came through; the next one is the
//! first that was dropped. When it had been sent is known, and when Floodwall decided stands in the block's record,
//! on the same clock. So both ends are seen from outside of the process.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use anyhow::{Context as _, bail};
use floodwall_tests::{Client, Connection, Host, Instance};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

use crate::{
    Bench,
    cable::{Cable, SERVER, client_address},
    clock,
    contender::{Contender, Job, Limits, origin, prefilter},
    pinned,
    report::Row,
    rounds::percentile,
};

/// Each trial has an address of its own: none of the others' blocks concerns it.
const TRIALS: u8 = 41;
const QUICK_TRIALS: u8 = 5;

/// Refusals until the block.
const AFTER: u32 = 5;
const BLOCK: &str = "{ after: 5, within: 10s, for: 1m, max: 1h }";

/// Datagrams before the request, and nanoseconds of datagrams after it.
const LEAD: usize = 500;
const TAIL_NS: u64 = 20_000_000;

/// When things happened, by CLOCK_MONOTONIC.
#[derive(Debug)]
struct Trial {
    /// The request was handed to the client's stack.
    asked: u64,
    /// The first dropped datagram had been sent.
    dropped: u64,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let trials = if bench.effort.quick {
        QUICK_TRIALS
    } else {
        TRIALS
    };
    let cable = Cable::lay(trials)?;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000));
    let cores = bench.cores;
    let _origin = cores.on_origin(|| cable.server.run(|| origin(to)))?;
    let instance = Instance::claim();
    let job = Job {
        block: Some(BLOCK),
        ..Job::new(SERVER.into(), to, Limits::PerClient(1))
    };
    let prefilter = prefilter(&instance);
    let running =
        cores.on_server(|| Contender::Floodwall.start_on(&cable.server, &job, &prefilter))?;
    let witness = witness(&cable.server)?;
    let mut done = Vec::new();
    for number in 0..trials {
        done.push(
            cable
                .client
                .run(|| trial(client_address(number), &witness))?,
        );
    }
    let decisions = decisions(&instance)?;
    drop(running);
    report(bench, &done, &decisions)
}

/// A socket behind the filter, on the same port as the listener, that can hold a whole trial.
fn witness(server: &Host) -> anyhow::Result<UdpSocket> {
    server.run(|| {
        let socket = UdpSocket::bind(SERVER)?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, RcvBufForce, &(64 << 20))?;
        Ok(socket)
    })
}

fn trial(source: Ipv4Addr, witness: &UdpSocket) -> anyhow::Result<Trial> {
    let mut connection = Client::of(SERVER.into()).from(source).connect()?;
    exhaust(&mut connection)?;
    let datagrams = UdpSocket::bind((source, 0))?;
    datagrams.connect(SERVER)?;
    drain(witness)?;
    let mut sent = Vec::with_capacity(100_000);
    let mut asked = u64::MAX - TAIL_NS;
    while sent.last().is_none_or(|last| *last < asked + TAIL_NS) {
        if sent.len() == LEAD {
            asked = clock::monotonic_ns()?;
            connection.write(REQUEST)?;
        }
        datagrams.send(&(sent.len() as u64).to_le_bytes())?;
        sent.push(clock::monotonic_ns()?);
    }
    let last = drain(witness)?.context("no datagram came through at all")?;
    let first_dropped = usize::try_from(last)? + 1;
    anyhow::ensure!(
        first_dropped > LEAD,
        "datagrams were lost before the request"
    );
    let dropped = *sent.get(first_dropped).context("no datagram was dropped")?;
    Ok(Trial { asked, dropped })
}

/// Asks until one more refusal means a block.
fn exhaust(connection: &mut Connection) -> anyhow::Result<()> {
    let mut refused = 0;
    for _ in 0..MOST_ASKED {
        refused += u32::from(connection.get("/")?.status == 429);
        if refused == AFTER - 1 {
            return Ok(());
        }
    }
    bail!("{MOST_ASKED} requests met {refused} refusals")
}

const MOST_ASKED: u32 = 100;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";

/// The last number that came, once no more come.
fn drain(witness: &UdpSocket) -> anyhow::Result<Option<u64>> {
    let mut last = None;
    let mut number = [0; 8];
    loop {
        match witness.recv(&mut number) {
            Ok(_) => last = Some(u64::from_le_bytes(number)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(last),
            Err(error) => return Err(error.into()),
        }
    }
}

/// When each block began, out of the pinned book.
fn decisions(instance: &Instance) -> anyhow::Result<Vec<u64>> {
    let records = pinned::values(instance, "BLOCKS")?;
    let since = records.iter().filter_map(|record| {
        // The fifth word of a record, see limiter/src/block/record.rs.
        let (words, _) = record.as_chunks::<8>();
        words.get(4).copied().map(u64::from_ne_bytes)
    });
    Ok(since.filter(|since| *since > 0).collect())
}

fn report(bench: &mut Bench, trials: &[Trial], decisions: &[u64]) -> anyhow::Result<()> {
    let mut from_decision = Vec::new();
    let mut from_request = Vec::new();
    for trial in trials {
        let within = |since: &&u64| (trial.asked..trial.asked + TAIL_NS).contains(*since);
        let decided = decisions
            .iter()
            .find(within)
            .context("a trial without a block")?;
        // The datagram counts as dropped once it was sent, so that this is never too short.
        from_decision.push(trial.dropped.saturating_sub(*decided) as f64 / 1e3);
        from_request.push((trial.dropped - trial.asked) as f64 / 1e3);
    }
    let at = |values: &[f64], percent| percentile(values.iter().copied(), percent);
    println!(
        "first-drop from-decision p50={:.1}us p90={:.1}us from-request p50={:.1}us p90={:.1}us trials={}",
        at(&from_decision, 50),
        at(&from_decision, 90),
        at(&from_request, 50),
        at(&from_request, 90),
        trials.len()
    );
    bench.report.add(Row {
        what: "refusal that triggers a block -> first packet dropped in the kernel",
        floodwall: format!(
            "{:.0} us, 90 % below {:.0} us",
            at(&from_decision, 50),
            at(&from_decision, 90)
        ),
        nginx: "never".into(),
        haproxy: "never".into(),
        goal: "< 100 us",
        ..Row::default()
    });
    Ok(())
}
