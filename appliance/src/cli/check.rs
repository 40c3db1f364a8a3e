//! `floodwall check`

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use floodwall_config::{Config, Problems};

use super::{
    Failure,
    target::{DEFAULT_FILE, unexpected},
};
use crate::{
    control::{
        client::ask,
        protocol::{Reply, Request},
    },
    generation::Generation,
    reload::Comparison,
};

/// Check a configuration file: print every problem, or that there is none
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,

    /// Print what a reload of the running service would change
    #[arg(long)]
    diff: bool,

    /// With --diff: the running service's control socket, whatever the file says
    #[arg(long, value_name = "PATH", requires = "diff")]
    socket: Option<PathBuf>,
}

impl Check {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let new = Config::load(&self.config).map_err(|problems| wrong(&problems))?;
        let compiled = Generation::check(&new).map_err(|problems| wrong(&problems))?;
        writeln!(out, "{}: ok: {}", self.config.display(), summary(&new))?;
        for warning in compiled.warnings() {
            writeln!(out, "warning: {warning}")?;
        }
        if self.diff {
            let socket = self.socket.as_deref().unwrap_or(&new.admin.socket);
            print_changes(out, &compared(socket, &self.config)?)?;
        }
        Ok(())
    }
}

fn wrong(problems: &Problems) -> Failure {
    Failure::Wrong(problems.to_string())
}

fn summary(config: &Config) -> String {
    let packet_limits = config
        .prefilter
        .as_ref()
        .map_or(0, |prefilter| prefilter.limits.len());
    [
        counted(config.listeners.len(), "listener"),
        counted(config.upstreams.len(), "upstream"),
        counted(config.routes.len(), "route"),
        counted(config.limits.len(), "limit"),
        counted(packet_limits, "packet limit"),
    ]
    .join(", ")
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// What the service says of the file's text.
fn compared(socket: &Path, file: &Path) -> Result<Comparison, Failure> {
    let text = Config::text_at(file).map_err(|problems| wrong(&problems))?;
    let file = std::path::absolute(file).map_err(|error| Failure::Failed(error.to_string()))?;
    match ask(socket, &Request::Compare { file, text }) {
        Ok(Reply::Compared(comparison)) => Ok(comparison),
        Ok(other) => Err(unexpected(&other)),
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

fn print_changes(out: &mut impl Write, comparison: &Comparison) -> Result<(), Failure> {
    let Comparison {
        problems,
        restart_only,
        changes,
    } = comparison;
    if !problems.is_empty() {
        let problems = problems.join("\n");
        return Err(Failure::Wrong(format!(
            "{problems}\nthe service cannot read the file as this command does: a reload would be refused"
        )));
    }
    if restart_only.is_empty() && changes.is_empty() {
        writeln!(out, "a reload would change nothing")?;
    }
    for change in restart_only {
        writeln!(out, "needs a restart: {change}")?;
    }
    if !restart_only.is_empty() {
        writeln!(
            out,
            "a reload would be refused, and nothing of the file applied"
        )?;
    }
    for change in changes {
        writeln!(out, "{change}")?;
    }
    Ok(())
}
