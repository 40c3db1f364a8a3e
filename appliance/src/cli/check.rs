//! `floodwall check`

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use floodwall_config::{Config, Problem, Problems};
use serde::Serialize;

use super::{
    Failure, print_json,
    target::{DEFAULT_FILE, ask_at, unexpected},
};
use crate::{
    control::protocol::{Reply, Request},
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

    /// Print one JSON document, of a wrong file as well
    #[arg(long)]
    json: bool,
}

/// The JSON document.
#[derive(Serialize)]
struct Checked<'a> {
    ok: bool,
    file: &'a Path,
    problems: Vec<Found<'a>>,
    warnings: Vec<String>,
    /// Absent without --diff, and for a file that is wrong.
    diff: Option<Comparison>,
}

/// A problem as JSON.
#[derive(Serialize)]
struct Found<'a> {
    file: &'a Path,
    line: Option<usize>,
    column: Option<usize>,
    /// The key's path; empty for the file as a whole.
    path: &'a str,
    problem: String,
}

impl Check {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let checked = Config::load(&self.config)
            .and_then(|new| Generation::check(&new).map(|compiled| (new, compiled)));
        let (new, compiled) = match checked {
            Err(problems) if self.json => return self.print_problems(out, &problems),
            checked => checked.map_err(|problems| wrong(&problems))?,
        };
        let diff = match &self.socket {
            _ if !self.diff => None,
            Some(socket) => Some(compared(socket, &self.config)?),
            None => Some(compared(&new.admin.socket, &self.config)?),
        };
        if self.json {
            return self.print_document(out, compiled.warnings(), diff);
        }
        writeln!(out, "{}: ok: {}", self.config.display(), summary(&new))?;
        for warning in compiled.warnings() {
            writeln!(out, "warning: {warning}")?;
        }
        diff.map_or(Ok(()), |diff| print_changes(out, &diff))
    }

    fn print_problems(&self, out: &mut impl Write, problems: &Problems) -> Result<(), Failure> {
        let document = Checked {
            ok: false,
            file: &self.config,
            problems: problems.as_slice().iter().map(Found::of).collect(),
            warnings: Vec::new(),
            diff: None,
        };
        print_json(out, &document)?;
        Err(Failure::Printed(2))
    }

    fn print_document(
        &self,
        out: &mut impl Write,
        warnings: Vec<String>,
        diff: Option<Comparison>,
    ) -> Result<(), Failure> {
        let ok = diff.as_ref().is_none_or(|diff| diff.problems.is_empty());
        let document = Checked {
            ok,
            file: &self.config,
            problems: Vec::new(),
            warnings,
            diff,
        };
        print_json(out, &document)?;
        if ok { Ok(()) } else { Err(Failure::Printed(2)) }
    }
}

impl<'a> Found<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            file: &problem.file,
            line: problem.place.map(|place| place.line),
            column: problem.place.map(|place| place.column),
            path: &problem.path,
            problem: problem.fault.to_string(),
        }
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
    match ask_at(socket, &Request::Compare { file, text })? {
        Reply::Compared(comparison) => Ok(comparison),
        other => Err(unexpected(&other)),
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
