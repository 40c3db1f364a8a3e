//! Memory: idle, after so many sources, and for each of them. The sources come through a trusted proxy, which
//! spares the bench as many addresses.

use std::{fs, path::Path, time::Duration};

use floodwall_tests::Loopback;

use crate::{
    Bench,
    contender::{Contender, Job, Limits, Running, origin},
    cpu,
    load::Load,
    report::Row,
};

const SOURCES: u32 = 250_000;

/// Nobody takes so long; the script ends the load.
const LONGEST: Duration = Duration::from_mins(3);

/// Proportional set sizes in bytes.
struct Sizes {
    idle: u64,
    warm: u64,
    full: u64,
}

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let to = Loopback::free();
    let _origin = bench.cores.on_origin(|| origin(to))?;
    let mut rows = [(); 3].map(|()| (String::new(), String::new()));
    for (contender, row) in Contender::ALL.into_iter().zip(&mut rows) {
        // At so low a rate none of them forgets a source before the last one has come.
        let job = Job {
            behind_proxy: true,
            ..Job::new(Loopback::free(), to, Limits::PerClient(1))
        };
        let running = bench.cores.on_server(|| contender.start(&job))?;
        let sizes = sizes(&running, &job, folder.path())?;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let grown = sizes.full.saturating_sub(sizes.warm) as f64 / f64::from(SOURCES);
        let each = match &running {
            Running::Floodwall(floodwall) => cell_bytes(&floodwall.status()["table"])?,
            Running::Other(_) => grown,
        };
        println!(
            "memory {} idle={:.1}MiB warm={:.1}MiB sources={SOURCES} full={:.1}MiB grown-by-source={grown:.0}B for-a-source={each:.0}B",
            contender.name(),
            mib(sizes.idle),
            mib(sizes.warm),
            mib(sizes.full)
        );
        *row = (
            format!("{each:.0} bytes"),
            format!("{:.0} / {:.0} MiB", mib(sizes.idle), mib(sizes.full)),
        );
    }
    let [floodwall, nginx, haproxy] = rows;
    bench.report.add(Row {
        what: "memory for one tracked source",
        floodwall: floodwall.0,
        nginx: nginx.0,
        haproxy: haproxy.0,
        goal: "16 bytes",
        ..Row::default()
    });
    bench.report.add(Row {
        what: "resident memory idle / with 250,000 sources (Floodwall: a table for 1 M, all of it touched)",
        floodwall: floodwall.1,
        nginx: nginx.1,
        haproxy: haproxy.1,
        goal: "< 30 MB + the table of 16",
        ..Row::default()
    });
    Ok(())
}

fn sizes(running: &Running<'_>, job: &Job, folder: &Path) -> anyhow::Result<Sizes> {
    let idle = cpu::resident_bytes(running.pid())?;
    Load::kept(32).run(job.listen, Duration::from_secs(2))?;
    let warm = cpu::resident_bytes(running.pid())?;
    let script = folder.join("sources.lua");
    fs::write(&script, lua())?;
    let strangers = Load {
        script: Some(script),
        ..Load::kept(32)
    };
    let output = strangers.command(job.listen, LONGEST).output()?;
    // It ends as the script says, without a report, unless the time was over first.
    let report = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(
        output.status.success() && !report.contains("requests in"),
        "not all sources came in {LONGEST:?}"
    );
    Ok(Sizes {
        idle,
        warm,
        full: cpu::resident_bytes(running.pid())?,
    })
}

/// Each request is from the next address, and the last one ends the load.
fn lua() -> String {
    format!(
        "local asked, answered = 0, 0
         local field = {{}}
         request = function()
           asked = asked + 1
           field['X-Forwarded-For'] = string.format('11.%d.%d.%d',
             math.floor(asked / 65536) % 256, math.floor(asked / 256) % 256, asked % 256)
           return wrk.format('GET', '/', field)
         end
         response = function()
           answered = answered + 1
           if answered >= {SOURCES} then os.exit(0) end
         end"
    )
}

fn cell_bytes(table: &serde_json::Value) -> anyhow::Result<f64> {
    match (table["bytes"].as_u64(), table["cells"].as_u64()) {
        (Some(bytes), Some(cells)) if cells > 0 => Ok(bytes as f64 / cells as f64),
        _ => anyhow::bail!("status says nothing of the table: {table}"),
    }
}
