//! `floodwall reload`

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::{
    Failure, print_json,
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
    /// Print one JSON document, of a refusal as well
    #[arg(long)]
    json: bool,
}

/// The JSON document.
#[derive(Serialize)]
struct Outcome<'a, T> {
    ok: bool,
    #[serde(flatten)]
    outcome: &'a T,
}

impl Reload {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self.target.ask(&Request::Reload)? {
            Reply::Reloaded(reloaded) if self.json => document(out, true, &reloaded),
            Reply::ReloadRefused(refused) if self.json => {
                document(out, false, &refused)?;
                Err(Failure::Printed(exit_code(&refused)))
            }
            Reply::Reloaded(reloaded) => print(out, &reloaded),
            Reply::ReloadRefused(refused) => Err(failure(&refused)),
            other => Err(unexpected(&other)),
        }
    }
}

fn document(out: &mut impl Write, ok: bool, outcome: &impl Serialize) -> Result<(), Failure> {
    print_json(out, &Outcome { ok, outcome })
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
    match exit_code(refused) {
        2 => Failure::Wrong(refused.to_string()),
        _ => Failure::Failed(refused.to_string()),
    }
}

fn exit_code(refused: &Refused) -> u8 {
    match refused.because {
        Because::File | Because::RestartOnly => 2,
        Because::Kernel => 1,
    }
}
