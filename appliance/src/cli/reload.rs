//! `floodwall reload`

use std::io::Write;

use clap::Args;

use super::{
    Failure,
    target::{Target, unexpected},
};
use crate::{
    control::protocol::{Reply, Request},
    reload::{Because, Refused, Reloaded},
};

/// Make the running service read its file again, and wait for what becomes of it
#[derive(Debug, Args)]
pub(super) struct Reload {
    #[command(flatten)]
    target: Target,
}

impl Reload {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self.target.ask(&Request::Reload)? {
            Reply::Reloaded(reloaded) => print(out, &reloaded),
            Reply::ReloadRefused(refused) => Err(failure(&refused)),
            other => Err(unexpected(&other)),
        }
    }
}

fn print(out: &mut impl Write, reloaded: &Reloaded) -> Result<(), Failure> {
    let Reloaded {
        file,
        from,
        to,
        changes,
        duration_seconds,
    } = reloaded;
    writeln!(
        out,
        "{}: reloaded in {:.1} ms, generation {from} -> {to}",
        file.display(),
        duration_seconds * 1e3
    )?;
    if changes.is_empty() {
        writeln!(out, "nothing has changed")?;
    }
    for change in changes {
        writeln!(out, "{change}")?;
    }
    Ok(())
}

fn failure(refused: &Refused) -> Failure {
    match refused.because {
        Because::File | Because::RestartOnly => Failure::Wrong(refused.to_string()),
        Because::Kernel => Failure::Failed(refused.to_string()),
    }
}
