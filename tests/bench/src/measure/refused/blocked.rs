//! CPU of the whole machine for one more packet of a source that the kernel drops.
//!
//! No server process is involved any more, so there is no process whose CPU could be read. A packet that crosses
//! a veth pair is received on the sender's back, in its own system call: the same connection attempts are sent to
//! the filtered interface and to one without a carrier, which throws them away, and the difference of the sender's CPU is what
//! it cost to cross the pair, to be received, and to be dropped by the program. On a NIC less would be ours.

use floodwall_tests::{Instance, Loopback};

use crate::{
    Bench,
    cable::{Cable, NOWHERE, SERVER, client_address},
    clock,
    contender::{Contender, Job, Limits, Running, prefilter},
    packet::Knocker,
    pinned::{self, Counting},
    rounds::{median, spread_percent},
};

/// Nanoseconds for one blocked connection attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// All of it, the way across the cable included.
    pub(super) whole: f64,
    /// Of the program that looks at the packet and drops it, by the kernel's own count.
    pub(super) program: f64,
}

pub(super) fn cost(bench: &Bench) -> anyhow::Result<Cost> {
    let cable = Cable::lay(1)?;
    let instance = Instance::claim();
    // Nobody gets as far as the origin.
    let job = Job::new(SERVER.into(), Loopback::free(), Limits::None);
    let prefilter = prefilter(&instance);
    let running = bench
        .cores
        .on_server(|| Contender::Floodwall.start_on(&cable.server, &job, &prefilter))?;
    let Running::Floodwall(floodwall) = &running else {
        anyhow::bail!("only Floodwall blocks in the kernel");
    };
    let source = client_address(0).to_string();
    let added = floodwall.ask(&["blocks", "add", &source, "--for", "10m"]);
    anyhow::ensure!(added.code == Some(0), "no block: {}", added.stderr);
    let attempts = if bench.effort.quick { 20_000 } else { 200_000 };
    let differences = cable.client.run(|| -> anyhow::Result<Vec<f64>> {
        let mut blocked = Knocker::new(client_address(0), SERVER)?;
        let mut thrown_away = Knocker::new(client_address(0), NOWHERE)?;
        // A packet without a neighbour's address waits for it, and drives others out.
        send(&mut blocked, 1000)?;
        (0..bench.effort.rounds)
            .map(|_| Ok(send(&mut blocked, attempts)? - send(&mut thrown_away, attempts)?))
            .collect()
    })?;
    let program = program(&cable, &instance, attempts)?;
    let dropped = floodwall
        .blocks()
        .first()
        .map(|block| block["dropped_packets"].as_u64());
    let sent = 1000 + u64::from(attempts) * (bench.effort.rounds as u64 + 1);
    // One that was sent before the neighbour's address was known may be lost.
    anyhow::ensure!(
        dropped
            .flatten()
            .is_some_and(|dropped| dropped + 1000 >= sent && dropped <= sent),
        "{sent} packets were sent, and {dropped:?} dropped by the block"
    );
    let whole = median(differences.iter().copied());
    println!(
        "refused/blocked floodwall cpu={:.3}us +-{:.1}% program={:.3}us (whole machine, by the kernel alone)",
        whole / 1e3,
        spread_percent(&differences),
        program / 1e3
    );
    Ok(Cost { whole, program })
}

/// Nanoseconds that the program itself takes for each attempt.
fn program(cable: &Cable, instance: &Instance, attempts: u32) -> anyhow::Result<f64> {
    let _counting = Counting::start()?;
    let before = pinned::runs(instance)?;
    cable
        .client
        .run(|| send(&mut Knocker::new(client_address(0), SERVER)?, attempts))?;
    let after = pinned::runs(instance)?;
    let runs = after.count - before.count;
    anyhow::ensure!(
        runs >= u64::from(attempts),
        "{attempts} packets were sent, and the program ran {runs} times"
    );
    Ok((after.ns - before.ns) as f64 / runs as f64)
}

/// Nanoseconds of the sender's CPU for each attempt.
fn send(knocker: &mut Knocker, attempts: u32) -> anyhow::Result<f64> {
    let before = clock::thread_cpu_ns()?;
    for attempt in 0..attempts {
        let [.., high, low] = attempt.to_be_bytes();
        knocker.knock(u16::from_be_bytes([high, low]))?;
    }
    Ok((clock::thread_cpu_ns()? - before) as f64 / f64::from(attempts))
}
