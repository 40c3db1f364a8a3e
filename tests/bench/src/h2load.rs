//! Load as h2load makes it: HTTP/2 over TLS, several streams on each connection.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, bail, ensure};

use crate::{load::Outcome, rounds::percentile};

/// Connections, and requests at one time on each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) connections: u32,
    pub(crate) each: u32,
}

impl Streams {
    /// Asks `path` again and again. `folder` is for h2load's log, which tells each request's time.
    pub(crate) fn run(
        self,
        server: SocketAddr,
        path: &str,
        length: Duration,
        folder: &Path,
    ) -> anyhow::Result<Outcome> {
        let log = folder.join("h2load.log");
        // h2load appends.
        let _ = fs::remove_file(&log);
        let output = Command::new("h2load")
            .args(["-t", "1", "-c", &self.connections.to_string()])
            .args(["-m", &self.each.to_string()])
            .args(["-D", &length.as_secs().max(1).to_string()])
            .arg(format!("--log-file={}", log.display()))
            .arg(format!("https://{server}{path}"))
            .output()
            .context("starting h2load, which .ci/need bench installs")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success() && text.contains("Application protocol: h2"),
            "h2load: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let times = times(&fs::read_to_string(&log)?);
        if times.is_empty() {
            bail!("h2load had no answer:\n{text}");
        }
        let failed = times.iter().filter(|(status, _)| *status != 200).count();
        let micros = || times.iter().map(|(_, micros)| *micros);
        Ok(Outcome {
            responses: times.len() as u64,
            refused: failed as u64,
            seconds: length.as_secs_f64(),
            p50: percentile(micros(), 50),
            p99: percentile(micros(), 99),
            ..Outcome::default()
        })
    }
}

/// Status and microseconds of each line: `start status micros`.
fn times(log: &str) -> Vec<(u16, f64)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let status = words.next()?.parse().ok()?;
        Some((status, words.next()?.parse().ok()?))
    };
    log.lines().filter_map(line).collect()
}
