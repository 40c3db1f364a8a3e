//! `floodwall explain`

use std::{io::Write, net::IpAddr};

use clap::Args;

use super::{
    Failure, print_json,
    table::{Table, span},
    target::{Target, unexpected},
};
use crate::{
    admission::{Preview, Would},
    control::protocol::{Reply, Request},
    explain::{Explanation, Outcome, Question},
    protection::preview::Preview as Overload,
};

/// Show which route, limits and upstream a request would meet, charging nothing
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    target: Target,
    /// The address the request comes from; this host itself unless named
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// The method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// A header of the request; may be given more than once
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[arg(help = "A path with its query, or http://HOST/PATH")]
    url: String,
}

impl Explain {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let question = Question {
            url: self.url.clone(),
            method: self.method.clone(),
            client: self.client,
            headers: self.headers.clone(),
        };
        match self.target.ask(&Request::Explain(question))? {
            Reply::Explanation(explanation) if self.json => print_json(out, &explanation),
            Reply::Explanation(explanation) => print(out, &explanation),
            other => Err(unexpected(&other)),
        }
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("allowed: NAME:VALUE".to_owned()),
    }
}

fn print(out: &mut impl Write, explanation: &Explanation) -> Result<(), Failure> {
    let Explanation {
        generation,
        method,
        host,
        path,
        peer,
        client,
        counted_as,
        ..
    } = explanation;
    let host = if host.is_empty() {
        String::new()
    } else {
        format!(" at {host}")
    };
    writeln!(out, "request     {method} {path}{host}")?;
    let through = if peer == client {
        String::new()
    } else {
        format!(", through {peer}")
    };
    let counted = if *counted_as == client.to_string() {
        String::new()
    } else {
        format!(", counted as {counted_as}")
    };
    writeln!(out, "client      {client}{through}{counted}")?;
    writeln!(out, "generation  {generation}")?;
    writeln!(
        out,
        "route       {}",
        explanation.route.as_deref().unwrap_or("none matches")
    )?;
    if let Some(protection) = &explanation.protection {
        writeln!(out, "overload    {}", overload(protection))?;
    }
    if let Some(split) = &explanation.split {
        writeln!(out, "split       {split}")?;
    }
    if let Some(rewritten) = &explanation.rewritten {
        let path = rewritten.path.as_ref().unwrap_or(path);
        let at = rewritten.host.as_ref();
        let at = at.map_or(host, |at| format!(" at {at}"));
        writeln!(out, "rewritten   {method} {path}{at}")?;
    }
    if let Some(gate) = &explanation.gate {
        writeln!(out, "gate        {}: {}", gate.name, gate.would)?;
    }
    writeln!(out, "outcome     {}", outcome(explanation))?;
    for change in &explanation.changes {
        writeln!(out, "with        {change}")?;
    }
    if !explanation.limits.is_empty() {
        writeln!(out)?;
        limits(&explanation.limits).write(out)?;
        let notes = explanation.limits.iter();
        for (limit, note) in
            notes.flat_map(|each| each.notes.iter().map(|note| (&each.limit, note)))
        {
            writeln!(out, "{limit}: {note}")?;
        }
    }
    Ok(())
}

fn overload(preview: &Overload) -> String {
    let priority = &preview.priority;
    match &preview.shed_by {
        Some(measure) => format!("priority {priority}: shed, {measure} is over its trigger"),
        None => format!("priority {priority}: let in"),
    }
}

fn outcome(explanation: &Explanation) -> String {
    match &explanation.action {
        Outcome::Nothing => format!("nothing: {} is blocked", explanation.peer),
        Outcome::Respond { status, because } => {
            format!("answered here with {status}: {because}")
        }
        Outcome::Redirect { status, location } => format!("sent to {location} with {status}"),
        Outcome::Unavailable {
            upstream,
            why,
            status,
            retry_after_seconds,
        } => format!(
            "answered for upstream {upstream} with {status}: {why}, again in {retry_after_seconds} s"
        ),
        Outcome::Upstream {
            name,
            servers,
            passed_over,
        } => {
            let others = passed_over
                .iter()
                .map(|other| format!("\n  not to {}: {}", other.server, other.why));
            let servers = match servers.len() {
                0 => "whichever is there, for none is well".to_owned(),
                _ => servers.join(", "),
            };
            format!(
                "goes to upstream {name}: {servers}{}",
                others.collect::<String>()
            )
        }
    }
}

fn limits(previews: &[Preview]) -> Table<5> {
    let mut table = Table::new(["LIMIT", "WOULD", "LEFT>", "RATE", "KEY"]);
    for preview in previews {
        let left = match (preview.remaining, preview.burst) {
            (Some(remaining), Some(burst)) => format!("{remaining}/{burst}"),
            _ => String::new(),
        };
        table.row([
            preview.limit.clone(),
            would(preview),
            left,
            preview.rate.clone().unwrap_or_default(),
            preview.key.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn would(preview: &Preview) -> String {
    let later = match preview.retry_after_seconds {
        Some(after) => format!("in {}", span(after)),
        None if preview.remaining.is_some_and(|_| preview.burst != Some(0)) => {
            "when one ends".to_owned()
        }
        None => "never".to_owned(),
    };
    match preview.would {
        Would::Admit => "admit".to_owned(),
        Would::Wait => match preview.wait_seconds {
            Some(wait) => format!("wait for {}", span(wait)),
            None => "wait for a slot".to_owned(),
        },
        Would::Refuse => format!("refuse, again {later}"),
        Would::Shadow => format!("only count, room {later}"),
        Would::Skip => "not count it".to_owned(),
    }
}
