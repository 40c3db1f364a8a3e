//! `floodwall run`

use std::path::PathBuf;

use clap::Args;

use super::{Failure, target::DEFAULT_FILE};
use crate::run::{self, BootError};

/// Serve until SIGTERM; SIGHUP reloads the file
#[derive(Debug, Args)]
#[command(after_long_help = "\
Signals:
  SIGHUP   reads the file again; a file that is wrong changes nothing
  SIGTERM  finishes what is under way, and ends
  SIGQUIT  hands over to a new process of the program that lies at this one's path
  SIGUSR1  opens the access log again")]
pub(super) struct Run {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

impl Run {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        run::run(&self.config).map_err(|error| match error {
            BootError::Configuration(_) => Failure::Wrong(error.to_string()),
            _ => Failure::Failed(format!(
                "floodwall does not start: {error}\n`floodwall doctor -c {}` says how to mend what is wrong",
                self.config.display()
            )),
        })
    }
}
