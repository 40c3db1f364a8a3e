//! An attacker who rotates a million keys, and innocents beside it: who is admitted how often, who is refused, and
//! what it takes to remember all of them.
//!
//! The key is a header of the request, and each key may send two requests at once and two an hour. The attacker goes
//! through its keys in blocks, each block three times, and at the end through all of them once more, so that a limiter
//! that forgets a key admits it afresh. The innocents send one request each, half of what they may.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use floodwall_tests::{Client, Loopback, Repeat, Request};

use crate::{
    Bench,
    contender::{Contender, Job, Limits, SCARCE_BURST, origin},
    cpu,
    load::Load,
    report::Row,
};

/// How often the attacker sends a request with each key.
const REQUESTS_A_KEY: u64 = 4;

/// Nobody takes so long; the script ends the load.
const LONGEST: Duration = Duration::from_hours(1);

/// The attacker's keys.
#[derive(Clone, Copy)]
struct Keys {
    all: u64,
    /// So many of them come again soon.
    block: u64,
}

/// What the attacker got.
struct Loot {
    admitted: f64,
    seconds: f64,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = if bench.effort.quick {
        Keys {
            all: 1 << 15,
            block: 1 << 12,
        }
    } else {
        Keys {
            all: 1 << 20,
            block: 1 << 16,
        }
    };
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let mut cells = [(); 3].map(|()| [const { String::new() }; 3]);
    for (contender, cell) in Contender::ALL.into_iter().zip(&mut cells) {
        let job = Job::new(Loopback::free(), to, Limits::Scarce(keys.all));
        let running = bench.cores.on_server(|| contender.start(&job))?;
        let before = cpu::resident_bytes(running.pid())?;
        let (loot, statuses) = attack(&job, keys, folder.path())?;
        let grown = cpu::resident_bytes(running.pid())?.saturating_sub(before);
        let each = SCARCE_BURST + contender.scarce_per_second() * loot.seconds;
        let ratio = loot.admitted / (keys.all as f64 * each.min(REQUESTS_A_KEY as f64));
        let refused = statuses.iter().filter(|status| **status != 200).count();
        let memory = grown as f64 / keys.all as f64;
        println!(
            "attack {} keys={} seconds={:.0} admitted/allowed={ratio:.3} innocents={} refused={refused} memory={memory:.0}B a key",
            contender.name(),
            keys.all,
            loot.seconds,
            statuses.len(),
        );
        *cell = [
            format!("{ratio:.3}"),
            format!("{refused} of {}", statuses.len()),
            format!("{memory:.0} bytes"),
        ];
    }
    let rows = [
        ("a million rotating keys: admitted / allowed", "<= 1"),
        (
            "innocents at half their limit that were refused meanwhile",
            "none",
        ),
        ("memory grown by for each of those keys", ""),
    ];
    let [floodwall, nginx, haproxy] = cells;
    let cells = floodwall.into_iter().zip(nginx).zip(haproxy);
    for ((what, goal), ((floodwall, nginx), haproxy)) in rows.into_iter().zip(cells) {
        bench.report.add(Row {
            what,
            floodwall,
            nginx,
            haproxy,
            goal,
            ..Row::default()
        });
    }
    Ok(())
}

/// Attacks, and answers with what the attacker got and with the statuses of the innocents.
fn attack(job: &Job, keys: Keys, folder: &Path) -> anyhow::Result<(Loot, Vec<u16>)> {
    let script = folder.join("rotate.lua");
    fs::write(&script, lua(keys))?;
    let attacker = Load {
        script: Some(script),
        ..Load::kept(32)
    };
    let (listen, mut innocent) = (job.listen, 0_u16);
    let innocents = Repeat::every(Duration::from_millis(20), move || {
        innocent = innocent.wrapping_add(1);
        let request = Request::get("/").header("X-Key", format!("innocent-{innocent}"));
        Client::of(listen).send(&request).status
    });
    let output = attacker.command(listen, LONGEST).output()?;
    let statuses = innocents.stop();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("attacked "));
    let (admitted, seconds) = line
        .and_then(|line| line.split_once(' '))
        .with_context(|| format!("not all keys came in {LONGEST:?}:\n{text}"))?;
    let loot = Loot {
        admitted: admitted.parse()?,
        seconds: seconds.parse()?,
    };
    Ok((loot, statuses))
}

/// Each request has the next of the attacker's keys; the last answer ends the load.
fn lua(Keys { all, block }: Keys) -> String {
    let again = REQUESTS_A_KEY - 1;
    let in_blocks = all * again;
    let requests = all * REQUESTS_A_KEY;
    format!(
        "local asked, answered, admitted, begun = 0, 0, 0, os.time()
         local field = {{}}
         request = function()
           local key = asked % {all}
           if asked < {in_blocks} then
             local block = math.floor(asked / ({block} * {again}))
             key = block * {block} + asked % {block}
           end
           asked = asked + 1
           field['X-Key'] = string.format('key-%x', key)
           return wrk.format('GET', '/', field)
         end
         response = function(status)
           answered = answered + 1
           if status == 200 then admitted = admitted + 1 end
           if answered >= {requests} then
             print('attacked ' .. admitted .. ' ' .. (os.time() - begun))
             os.exit(0)
           end
         end"
    )
}
