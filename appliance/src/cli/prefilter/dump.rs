//! `floodwall prefilter dump`

mod verdicts;

use std::{io::Write, path::PathBuf};

use clap::Args;
use floodwall_config::Config;
use serde::Serialize;

use verdicts::Verdicts;

use super::words;
use crate::{
    capture::Capture,
    cli::{
        Failure, print_json,
        target::{Target, unexpected},
    },
    control::protocol::{Reply, Request},
    prefilter::{Judge, JudgeError, KernelStatus, State},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Dump {
    #[command(flatten)]
    target: Target,
    /// Run the packets of this capture (pcap or pcapng; - for standard input) through a copy of the program; needs
    /// the privilege for XDP, disturbs no budget and counts nowhere
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// The interface that the packets come in over; the first of the configuration's unless named
    #[arg(long, value_name = "NAME", requires = "pcap")]
    interface: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The rules that are meant, and whether they are a running service's.
struct Meant {
    config: Config,
    running: Option<KernelStatus>,
}

/// The dump of the rules as JSON.
#[derive(Serialize)]
struct Loaded {
    running: bool,
    rules: Vec<(&'static str, String)>,
}

impl Dump {
    pub(in crate::cli) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let meant = self.meant()?;
        match &self.pcap {
            Some(pcap) => self.packets(&meant, open(pcap)?, out),
            None => self.rules(&meant, out),
        }
    }

    fn meant(&self) -> Result<Meant, Failure> {
        let wrong = |problems: floodwall_config::Problems| Failure::Wrong(problems.to_string());
        let Some(reply) = self.target.ask_if_running(&Request::Configuration)? else {
            return Ok(Meant {
                config: Config::load(self.target.file()).map_err(wrong)?,
                running: None,
            });
        };
        let Reply::Configuration { file, text } = reply else {
            return Err(unexpected(&reply));
        };
        let running = match self.target.ask(&Request::Status)? {
            Reply::Status(status) => status.prefilter,
            other => return Err(unexpected(&other)),
        };
        Ok(Meant {
            config: Config::from_text(&text, &file).map_err(wrong)?,
            running: Some(running),
        })
    }

    fn rules(&self, meant: &Meant, out: &mut impl Write) -> Result<(), Failure> {
        let Some(prefilter) = &meant.config.prefilter else {
            return Err(Failure::Failed(JudgeError::None.to_string()));
        };
        let mut rules = vec![("loaded", loaded(meant.running.as_ref()))];
        rules.extend(words::rules(prefilter));
        if self.json {
            let running = meant.running.as_ref().is_some_and(|kernel| kernel.on);
            return print_json(out, &Loaded { running, rules });
        }
        for (what, words) in rules {
            writeln!(out, "{what:<12} {words}")?;
        }
        Ok(())
    }

    fn packets(
        &self,
        meant: &Meant,
        capture: Capture,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let running = meant.running.as_ref().is_some_and(|kernel| kernel.on);
        let state = if running {
            State::Running
        } else {
            State::Fresh
        };
        let failed = |error: &dyn std::error::Error| Failure::Failed(error.to_string());
        let judge = Judge::new(&meant.config, state, self.interface.as_deref())
            .map_err(|error| failed(&error))?;
        let mut verdicts = Verdicts::new(capture, judge);
        if self.json {
            verdicts::print_json(running, &mut verdicts, out)?;
        } else {
            writeln!(out, "loaded: {}", loaded(meant.running.as_ref()))?;
            verdicts::print(&mut verdicts, out)?;
        }
        match verdicts.broken() {
            None => Ok(()),
            Some(error) => Err(failed(&error)),
        }
    }
}

fn open(pcap: &std::path::Path) -> Result<Capture, Failure> {
    Capture::open(pcap).map_err(|error| Failure::Failed(error.to_string()))
}

fn loaded(running: Option<&KernelStatus>) -> String {
    match running {
        None => "no: the service does not run, and these are the file's rules".to_owned(),
        Some(kernel) if kernel.on => "yes: these are the running service's rules".to_owned(),
        Some(kernel) => format!(
            "no: the pre-filter is off: {}",
            kernel.why.as_deref().unwrap_or("nobody knows why")
        ),
    }
}
