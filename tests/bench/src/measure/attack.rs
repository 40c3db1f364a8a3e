//! An attacker who rotates keys, and innocents beside it: who is admitted how often, and who is refused.
//!
//! Each client may send two requests a minute. The attacker goes through its addresses again and again, so that
//! each comes back while it is in debt; the innocents send one request each, half of what they may. All come
//! through a trusted proxy, which spares the bench as many addresses.

use std::{fs, path::Path, time::Duration};

use floodwall_tests::{Client, Loopback, Repeat, Request};

use crate::{
    Bench,
    contender::{Contender, Job, Limits, origin},
    load::{Load, Outcome},
    report::Row,
};

/// What a client may send at once, and what it may send each second after that.
const BURST: f64 = 2.0;
const PER_SECOND: f64 = 2.0 / 60.0;

/// Addresses of the attacker for each second of the attack: few enough to come back several times.
const KEYS_PER_SECOND: u64 = 4_000;

struct Result {
    outcome: Outcome,
    innocents: usize,
    refused: usize,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let length = Duration::from_secs(if bench.effort.quick { 4 } else { 20 });
    let keys = KEYS_PER_SECOND * length.as_secs();
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let mut cells = [(); 3].map(|()| (String::new(), String::new()));
    for (contender, cell) in Contender::ALL.into_iter().zip(&mut cells) {
        let job = Job {
            behind_proxy: true,
            ..Job::new(Loopback::free(), to, Limits::Scarce)
        };
        let _running = bench.cores.on_server(|| contender.start(&job))?;
        let result = attack(&job, keys, length, folder.path())?;
        let admitted = result.outcome.served() as f64;
        let seconds = result.outcome.seconds;
        let allowed = keys as f64 * (BURST + PER_SECOND * seconds);
        println!(
            "attack {} keys={keys} requests={} admitted/allowed={:.3} innocents={} refused={}",
            contender.name(),
            result.outcome.responses,
            admitted / allowed,
            result.innocents,
            result.refused
        );
        anyhow::ensure!(
            result.outcome.responses > 2 * keys,
            "too slow for {keys} keys to come back"
        );
        *cell = (
            format!("{:.3}", admitted / allowed),
            format!("{} of {}", result.refused, result.innocents),
        );
    }
    let [floodwall, nginx, haproxy] = cells;
    bench.report.add(Row {
        what: "rotating keys: admitted / allowed",
        floodwall: floodwall.0,
        nginx: nginx.0,
        haproxy: haproxy.0,
        goal: "<= 1",
        ..Row::default()
    });
    bench.report.add(Row {
        what: "innocents at half their limit that were refused meanwhile",
        floodwall: floodwall.1,
        nginx: nginx.1,
        haproxy: haproxy.1,
        goal: "none",
        ..Row::default()
    });
    Ok(())
}

fn attack(job: &Job, keys: u64, length: Duration, folder: &Path) -> anyhow::Result<Result> {
    let script = folder.join("rotate.lua");
    fs::write(&script, lua(keys))?;
    let attacker = Load {
        script: Some(script),
        ..Load::kept(32)
    };
    let (listen, mut innocent) = (job.listen, 0_u16);
    let innocents = Repeat::every(Duration::from_millis(20), move || {
        innocent += 1;
        let address = format!("12.0.{}.{}", innocent >> 8, innocent & 255);
        let request = Request::get("/").header("X-Forwarded-For", address);
        Client::of(listen).send(&request).status
    });
    let outcome = attacker.run(listen, length)?;
    let statuses = innocents.stop();
    Ok(Result {
        outcome,
        innocents: statuses.len(),
        refused: statuses.iter().filter(|status| **status != 200).count(),
    })
}

/// Each request is from the next of the attacker's addresses.
fn lua(keys: u64) -> String {
    format!(
        "local asked = 0
         local field = {{}}
         request = function()
           asked = (asked + 1) % {keys}
           field['X-Forwarded-For'] = string.format('11.%d.%d.%d',
             math.floor(asked / 65536) % 256, math.floor(asked / 256) % 256, asked % 256)
           return wrk.format('GET', '/', field)
         end"
    )
}
