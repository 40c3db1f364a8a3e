//! `floodwall top`

mod canvas;
mod feed;
#[cfg(test)]
mod fixture;
mod keys;
mod layout;
mod live;
mod once;
mod page;
mod rates;
mod screen;
mod sections;
mod summary;
mod terminal;

use std::{
    io::Write,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use floodwall_config::units::parse_duration;

#[cfg(test)]
use self::fixture::sample;
use self::rates::Rates;
use super::{Failure, target::Target};
use crate::{blocks::Listed, status::Status};

/// Watch both layers live: rates, refusals, hottest keys, blocks, upstreams and gates
#[derive(Debug, Args)]
#[command(after_long_help = "\
Keys:
  1 to 7, 0, Tab    show one section, or all of them
  up, down          select a row; Escape lets it go
  /                 show only rows with the words that follow
  s, r              sort by the next column; reverse
  b, u              block, or unblock, the selected source, after a question
  p                 pause
  ?                 help
  q                 quit

Without a terminal, or where TERM is dumb, one page of plain text is printed. With NO_COLOR in the
environment there are no colours. A service that goes away is waited for.")]
pub(super) struct Top {
    #[command(flatten)]
    target: Target,
    /// How often the service is asked, such as 500ms, 2s or 1m
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    every: Duration,
    /// Print one page after two looks, and end
    #[arg(long)]
    once: bool,
    /// Print one JSON document of the rates between two looks and the status, and end
    #[arg(long)]
    json: bool,
}

/// One look at the service.
#[derive(Clone, Debug)]
struct Sample {
    at: Instant,
    status: Status,
    blocks: Vec<Listed>,
}

impl Top {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let socket = self.target.socket()?;
        // A service that is not there at all is said at once.
        let first = Sample::take(&socket)?;
        if self.once || self.json || !terminal::is_there() {
            return self.print(out, &socket, &first);
        }
        live::watch(socket, self.every, first).map_err(|error| {
            Failure::Failed(format!(
                "the terminal cannot be used: {error}; `floodwall top --once` needs none"
            ))
        })
    }

    /// Prints what happens between two looks.
    fn print(&self, out: &mut impl Write, socket: &Path, first: &Sample) -> Result<(), Failure> {
        thread::sleep(self.every);
        let second = Sample::take(socket)?;
        let rates = Rates::between(first, &second);
        if self.json {
            once::print_document(out, &second, &rates)
        } else {
            once::print_page(out, &second, &rates)
        }
    }
}

/// Reads how often to look. More often would be for the service's load, not for anybody's eyes.
fn interval(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_hours(1);
    let interval = parse_duration(text).map_err(|error| error.to_string())?;
    let interval = Duration::from(interval);
    if (SHORTEST..=LONGEST).contains(&interval) {
        Ok(interval)
    } else {
        Err(format!("found {text}; allowed: 100ms to 1h"))
    }
}
