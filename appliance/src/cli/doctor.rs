//! `floodwall doctor`

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use floodwall_config::{Config, Problems};
use serde::Serialize;

use super::{Failure, print_json, target::DEFAULT_FILE};
use crate::{
    doctor::{Finding, Verdict, examine},
    generation::Generation,
};

/// Look at all that the service depends on, and say how to mend what is wrong
///
/// It changes nothing. Without root it says what it could not see.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// The JSON document.
#[derive(Debug, Serialize)]
struct Report<'a> {
    findings: &'a [Finding],
    ok: usize,
    unseen: usize,
    warnings: usize,
    problems: usize,
}

impl<'a> Report<'a> {
    fn of(findings: &'a [Finding]) -> Self {
        let count = |verdict| {
            let such = findings.iter().filter(|each| each.verdict == verdict);
            such.count()
        };
        Self {
            findings,
            ok: count(Verdict::Ok),
            unseen: count(Verdict::Unseen),
            warnings: count(Verdict::Warning),
            problems: count(Verdict::Problem),
        }
    }
}

impl Doctor {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let wrong = |problems: Problems| Failure::Wrong(problems.to_string());
        let config = Config::load(&self.config).map_err(wrong)?;
        let compiled = Generation::check(&config).map_err(wrong)?;
        let findings = examine(&self.config, &config, &compiled);
        let report = Report::of(&findings);
        if self.json {
            print_json(out, &report)?;
        } else {
            print(out, &report)?;
        }
        if report.problems > 0 {
            return Err(Failure::Printed(1));
        }
        Ok(())
    }
}

fn print(out: &mut impl Write, report: &Report<'_>) -> io::Result<()> {
    let mut area = "";
    for finding in report.findings {
        if finding.area != area {
            area = finding.area;
            writeln!(out, "{area}")?;
        }
        one(out, finding)?;
    }
    let Report {
        ok,
        unseen,
        warnings,
        problems,
        ..
    } = report;
    writeln!(
        out,
        "\nproblems: {problems}, warnings: {warnings}, not seen: {unseen}, ok: {ok}"
    )
}

fn one(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let Finding { subject, found, .. } = finding;
    writeln!(out, "  {:<8} {subject}: {found}", finding.verdict.name())?;
    for (name, words) in [("why", &finding.matters), ("mend", &finding.mend)] {
        if let Some(words) = words {
            writeln!(out, "           {name:<5} {words}")?;
        }
    }
    Ok(())
}
