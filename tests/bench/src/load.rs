//! Load as wrk makes it: one thread, connections that are kept or fresh ones.

use std::{net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, bail};

/// Clients that ask again as soon as they are answered.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    /// A connection for each request.
    pub(crate) fresh: bool,
    /// A Lua script that makes the requests.
    pub(crate) script: Option<PathBuf>,
    /// `http://` or `https://`.
    pub(crate) scheme: &'static str,
    pub(crate) path: &'static str,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) responses: u64,
    /// Those with a status of 400 or more.
    pub(crate) refused: u64,
    /// Connections that were not made or broke off, and requests without an answer.
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    /// How long half of the requests took at most, and 99 of 100; in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Load {
    pub(crate) fn kept(connections: u32) -> Self {
        Self {
            connections,
            fresh: false,
            script: None,
            scheme: "http",
            path: "/",
        }
    }

    pub(crate) fn fresh(connections: u32) -> Self {
        Self {
            fresh: true,
            ..Self::kept(connections)
        }
    }

    /// Runs it on the caller's core and in the caller's namespace.
    pub(crate) fn run(&self, server: SocketAddr, length: Duration) -> anyhow::Result<Outcome> {
        let output = self
            .command(server, length)
            .output()
            .context("starting wrk, which .ci/need bench installs")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("wrk: {}", String::from_utf8_lossy(&output.stderr));
        }
        Outcome::parse(&text).with_context(|| format!("what wrk printed:\n{text}"))
    }

    pub(crate) fn command(&self, server: SocketAddr, length: Duration) -> Command {
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "--latency"])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", length.as_secs().max(1)));
        if self.fresh {
            wrk.args(["-H", "Connection: close"]);
        }
        if let Some(script) = &self.script {
            wrk.arg("-s").arg(script);
        }
        wrk.arg(format!("{}://{server}{}", self.scheme, self.path));
        wrk
    }
}

impl Outcome {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut outcome = Self::default();
        for line in text.lines().map(str::trim) {
            if let Some((count, rest)) = line.split_once(" requests in ") {
                outcome.responses = count.parse()?;
                let span = rest.split(',').next().context("no length")?;
                outcome.seconds = seconds(span)?;
            } else if let Some(count) = line.strip_prefix("Non-2xx or 3xx responses: ") {
                outcome.refused = count.parse()?;
            } else if let Some(span) = line.strip_prefix("50%") {
                outcome.p50 = 1e6 * seconds(span.trim())?;
            } else if let Some(span) = line.strip_prefix("99%") {
                outcome.p99 = 1e6 * seconds(span.trim())?;
            } else if let Some(kinds) = line.strip_prefix("Socket errors: ") {
                for kind in kinds.split(", ") {
                    let count = kind
                        .split(' ')
                        .next_back()
                        .context("an error without count")?;
                    outcome.failed += count.parse::<u64>()?;
                }
            }
        }
        if outcome.seconds <= 0.0 {
            bail!("no length");
        }
        Ok(outcome)
    }

    pub(crate) fn served(&self) -> u64 {
        self.responses - self.refused
    }
}

/// `250.00us`, `3.00s`, `1.50m`
fn seconds(span: &str) -> anyhow::Result<f64> {
    for (unit, factor) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)] {
        if let Some(number) = span.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    bail!("{span} is no span")
}
