//! `floodwall prefilter`

mod dump;
mod words;

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};
use floodwall_config::Config;

use super::{Failure, print_json, target::DEFAULT_FILE};
use crate::prefilter::{self, DetachError};

/// The packet filter in the kernel
#[derive(Debug, Subcommand)]
pub(super) enum Prefilter {
    /// Take the pre-filter off its interfaces and forget its table and blocks; the service must not run
    Detach(Detach),
    /// Show the rules that packets meet, or what becomes of each packet of a capture
    Dump(dump::Dump),
}

#[derive(Debug, Args)]
pub(super) struct Detach {
    /// The file the service was started with; its prefilter.instance is meant
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Prefilter {
    pub(super) fn execute(self, out: &mut impl Write) -> Result<(), Failure> {
        match self {
            Self::Detach(detach) => detach.execute(out),
            Self::Dump(dump) => dump.execute(out),
        }
    }
}

impl Detach {
    fn execute(self, out: &mut impl Write) -> Result<(), Failure> {
        let config =
            Config::load(&self.config).map_err(|problems| Failure::Wrong(problems.to_string()))?;
        let instance = prefilter::detach(&config).map_err(|error| match error {
            DetachError::None => Failure::Wrong(format!("{}: {error}", self.config.display())),
            DetachError::Running | DetachError::Kernel(_) => Failure::Failed(error.to_string()),
        })?;
        if self.json {
            return print_json(out, &serde_json::json!({ "detached": instance }));
        }
        Ok(writeln!(out, "the pre-filter {instance} is detached")?)
    }
}
