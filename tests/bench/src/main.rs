//! Measures the whole front door beside nginx, HAProxy and Envoy that do the same work.
//!
//! The contenders take turns, one short round each, so that whatever else the machine does meets all of them;
//! a figure is the median of its rounds. Servers are pinned to one core and get one worker; origins and clients
//! have the other cores. Everything happens on loopback or in namespaces that end with the process.
//!
//! Usage, as root: `FLOODWALL_BIN=target/release/floodwall floodwall-bench [--quick] [MEASUREMENT...]`

mod cable;
mod clock;
mod contender;
mod cores;
mod cpu;
mod h2load;
mod load;
mod measure;
mod packet;
mod pinned;
mod report;
mod rounds;
mod server;

use std::env;

use anyhow::{Context as _, bail};

use cores::Cores;
use report::Report;
use rounds::Effort;

/// What every measurement works with.
#[derive(Debug)]
struct Bench {
    cores: Cores,
    effort: Effort,
    report: Report,
}

fn main() -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        println!("end-to-end SKIPPED: namespaces, raw packets and XDP need root");
        return Ok(());
    }
    if env::var_os("FLOODWALL_BIN").is_none() {
        bail!("FLOODWALL_BIN must name the release binary that is measured");
    }
    let (options, wanted): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|word| word.starts_with("--"));
    let mut bench = Bench {
        cores: Cores::choose()?,
        effort: Effort::from_options(&options)?,
        report: Report::default(),
    };
    bench.cores.pin_load()?;
    cpu::print_machine()?;
    for (name, measure) in measure::chosen(&wanted)? {
        println!("\n# {name}: {}", cpu::noise()?);
        measure(&mut bench).with_context(|| format!("measuring {name}"))?;
    }
    bench.report.print();
    Ok(())
}
