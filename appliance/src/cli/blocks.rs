//! `floodwall blocks`

use std::{io::Write, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use floodwall_config::units::parse_duration;
use floodwall_limiter::Nanos;

use super::{
    Failure, print_count, print_json,
    table::{Table, bytes, span},
    target::{Target, unexpected},
};
use crate::{
    blocks::Listed,
    control::protocol::{Reply, Request},
    status::{BlockAdded, NewBlock},
};

/// See and change who is kept out
#[derive(Debug, Subcommand)]
pub(super) enum Blocks {
    /// Show every blocked source: why, since when, for how long, and what was dropped
    List(List),
    /// Block a source from its next packet on
    Add(Add),
    /// Let a source in again, and forget its past
    Remove(Remove),
    /// Let everybody in again
    Clear(Clear),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    target: Target,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    target: Target,
    /// An IPv4 or IPv6 address; an IPv6 address stands for its network, as `clients` counts it
    source: String,
    /// How long, such as 90s, 10m, 1h or 1d
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Nanos,
    /// What is dropped
    #[arg(long, value_enum, default_value_t = Scope::Listeners)]
    scope: Scope,
    /// A note for whoever lists the blocks
    #[arg(long, value_name = "TEXT", default_value = "by hand")]
    reason: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    /// What the source sends to the listeners' ports
    Listeners,
    /// Everything that the source sends to this host
    Host,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    #[command(flatten)]
    target: Target,
    /// The source, as `blocks list` shows it
    source: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Clear {
    #[command(flatten)]
    target: Target,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Blocks {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.execute(out),
            Self::Add(add) => add.execute(out),
            Self::Remove(remove) => remove.execute(out),
            Self::Clear(clear) => clear.execute(out),
        }
    }
}

/// Reads how long a block is to last.
pub(super) fn duration(text: &str) -> Result<Nanos, String> {
    match parse_duration(text) {
        Ok(Nanos::ZERO) => Err("found 0; allowed: at least 1ms".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}

impl List {
    fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self.target.ask(&Request::Blocks)? {
            Reply::Blocks(blocks) if self.json => print_json(out, &blocks),
            Reply::Blocks(blocks) => print(out, &blocks),
            other => Err(unexpected(&other)),
        }
    }
}

fn print(out: &mut impl Write, blocks: &[Listed]) -> Result<(), Failure> {
    if blocks.is_empty() {
        return Ok(writeln!(out, "nobody is blocked")?);
    }
    let mut table = Table::new([
        "SOURCE", "ENDS IN>", "SINCE>", "PACKETS>", "BYTES>", "SCOPE", "BY", "REASON",
    ]);
    for block in blocks {
        table.row([
            block.source.clone(),
            span(block.ends_in_seconds),
            span(block.since_seconds_ago),
            block.dropped_packets.to_string(),
            bytes(block.dropped_bytes),
            block.scope.clone(),
            match block.uid {
                Some(uid) => format!("{} uid {uid}", block.by),
                None => block.by.clone(),
            },
            block.reason.clone(),
        ]);
    }
    Ok(table.write(out)?)
}

impl Add {
    fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let whole_host = matches!(self.scope, Scope::Host);
        let (source, reason) = (self.source.clone(), self.reason.clone());
        match self
            .target
            .ask(&adding(source, self.duration, whole_host, reason))?
        {
            Reply::BlockAdded(added) if self.json => print_json(out, &added),
            Reply::BlockAdded(added) => Ok(writeln!(out, "{}", self::added(&added))?),
            other => Err(unexpected(&other)),
        }
    }
}

/// Asks for a block.
pub(super) fn adding(source: String, duration: Nanos, whole_host: bool, reason: String) -> Request {
    Request::AddBlock(NewBlock {
        source,
        duration_ms: millis(duration),
        whole_host,
        reason,
    })
}

/// What became of it, in words.
pub(super) fn added(block: &BlockAdded) -> String {
    let unlisted = if block.listed {
        ""
    } else {
        " (enforced, but the list is full)"
    };
    let left = span(block.ends_in_seconds);
    format!("{} is blocked for {left}{unlisted}", block.source)
}

/// The file's durations are whole milliseconds.
fn millis(duration: Nanos) -> u64 {
    u64::try_from(Duration::from(duration).as_millis()).unwrap_or(u64::MAX)
}

impl Remove {
    fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self.target.ask(&Request::RemoveBlock {
            source: self.source.clone(),
        })? {
            Reply::BlocksRemoved { count } => {
                let words = removed(&self.source, count)?;
                if self.json {
                    return print_count(out, count);
                }
                Ok(writeln!(out, "{words}")?)
            }
            other => Err(unexpected(&other)),
        }
    }
}

/// What became of a block that was to end, in words.
pub(super) fn removed(source: &str, count: usize) -> Result<String, Failure> {
    match count {
        0 => Err(Failure::Failed(format!(
            "{source} was not blocked; `floodwall blocks list` shows who is"
        ))),
        _ => Ok(format!("{source} is let in again")),
    }
}

impl Clear {
    fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self.target.ask(&Request::ClearBlocks)? {
            Reply::BlocksRemoved { count } if self.json => print_count(out, count),
            Reply::BlocksRemoved { count } => Ok(writeln!(out, "blocks ended: {count}")?),
            other => Err(unexpected(&other)),
        }
    }
}
