//! `floodwall gate`

use std::{
    fs,
    io::{self, Read, Write},
};

use clap::{Args, Subcommand};

use super::{
    Failure, print_count, print_json,
    target::{Target, unexpected},
};
use crate::{
    control::protocol::{Reply, Request},
    gate::{read_lines, write_line},
};

/// See and change who was let in by a gate
#[derive(Debug, Subcommand)]
pub(super) enum Gate {
    /// Print everybody who is in, as lines of id/KEY: "true"
    List(Named),
    /// Let everybody in whom a file names, beside those who are in
    Apply(Apply),
    /// Put everybody out, so that all places are free again
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Named {
    #[command(flatten)]
    target: Target,
    /// The gate's name
    name: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    target: Target,
    /// The gate's name
    name: String,
    /// Lines of id/KEY: "true"; standard input for -
    file: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Names in one message: those over 1 MiB wait for one of a few places.
const BYTES_AT_ONCE: usize = 512 << 10;

impl Gate {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.list(out),
            Self::Apply(apply) => apply.execute(out),
            Self::Delete(delete) => delete.delete(out),
        }
    }
}

impl Named {
    fn list(&self, out: &mut impl Write) -> Result<(), Failure> {
        let gate = self.name.clone();
        match self.target.ask(&Request::Guests { gate })? {
            Reply::Guests { names } if self.json => print_json(out, &names),
            Reply::Guests { names } if names.is_empty() => Ok(writeln!(out, "{{}}")?),
            Reply::Guests { names } => {
                let mut text = String::new();
                for name in &names {
                    write_line(name, &mut text);
                }
                Ok(out.write_all(text.as_bytes())?)
            }
            other => Err(unexpected(&other)),
        }
    }

    fn delete(&self, out: &mut impl Write) -> Result<(), Failure> {
        let gate = self.name.clone();
        match self.target.ask(&Request::DeleteGuests { gate })? {
            Reply::GuestsChanged { count } => tell(out, self.json, count, "put out"),
            other => Err(unexpected(&other)),
        }
    }
}

impl Apply {
    fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let text = self.text()?;
        let names =
            read_lines(&text).map_err(|error| Failure::Wrong(format!("{}: {error}", self.file)))?;
        let mut added = 0;
        for names in in_messages(names) {
            let gate = self.name.clone();
            match self.target.ask(&Request::ApplyGuests { gate, names })? {
                Reply::GuestsChanged { count } => added += count,
                other => return Err(unexpected(&other)),
            }
        }
        tell(out, self.json, added, "let in")
    }

    fn text(&self) -> Result<String, Failure> {
        let read = if self.file == "-" {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            fs::read_to_string(&self.file)
        };
        read.map_err(|error| {
            let file = &self.file;
            Failure::Failed(format!(
                "{file} cannot be read: {error}; - is standard input"
            ))
        })
    }
}

/// Shares the names out among messages that are not too long. One at least, so that a wrong name of the gate is heard.
fn in_messages(names: Vec<String>) -> Vec<Vec<String>> {
    let mut messages = vec![Vec::new()];
    let mut bytes = 0;
    for name in names {
        // In JSON a byte is six characters at the most.
        bytes += 6 * name.len() + 4;
        if bytes > BYTES_AT_ONCE {
            messages.push(Vec::new());
            bytes = 6 * name.len() + 4;
        }
        if let Some(last) = messages.last_mut() {
            last.push(name);
        }
    }
    messages
}

fn tell(out: &mut impl Write, json: bool, count: usize, what: &str) -> Result<(), Failure> {
    if json {
        return print_count(out, count);
    }
    Ok(writeln!(out, "{what}: {count}")?)
}
