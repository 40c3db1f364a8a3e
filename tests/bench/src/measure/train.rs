//! No measurement: the traffic that a profile for `make pgo` is gathered from. Every kind has its share, and the
//! service ends in order, for that is when it writes its profile.

use floodwall_tests::{Loopback, wait::PATIENCE};
use nix::sys::signal::Signal;

use super::protocols::traffics;
use crate::{
    Bench,
    contender::{Certificate, Contender, Job, Limits, Running, origin},
};

/// Nobody comes near it.
const NEVER: u32 = 1_000_000;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let certificate = Certificate::make()?;
    let folder = tempfile::tempdir()?;
    for traffic in traffics() {
        let job = Job {
            tls: traffic.is_encrypted().then_some(certificate),
            ..Job::new(Loopback::free(), to, Limits::Several(3, NEVER))
        };
        let running = bench.cores.on_server(|| Contender::Floodwall.start(&job))?;
        let outcome = traffic.run(job.listen, bench.effort.turn, folder.path())?;
        println!("train {} responses={}", traffic.name, outcome.responses);
        if let Running::Floodwall(mut floodwall) = running {
            floodwall.signal(Signal::SIGTERM);
            floodwall.wait(PATIENCE);
        }
    }
    Ok(())
}
