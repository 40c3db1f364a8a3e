//! `floodwall status`

pub(super) mod condition;
mod gates;
mod history;
mod limits;
mod mirrors;
mod prefilter;
mod protection;
mod routes;
mod state;
mod summary;
mod tokens;
mod upstreams;

use std::io::{self, Write};

use clap::Args;

use super::{
    Failure, print_json,
    table::Table,
    target::{Target, unexpected},
};
use crate::{
    control::protocol::{Reply, Request},
    status as document,
};

/// Show what the running service does: both layers, listeners, upstreams and limits
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    target: Target,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        match self.target.ask(&Request::Status)? {
            Reply::Status(status) if self.json => print_json(out, &status),
            Reply::Status(status) => Ok(print(out, &status)?),
            other => Err(unexpected(&other)),
        }
    }
}

fn print(out: &mut impl Write, status: &document::Status) -> io::Result<()> {
    summary::summary(out, status)?;
    section(out, &history::table(&status.history))?;
    section(out, &listeners(status))?;
    section(out, &routes::routes(status))?;
    section(out, &upstreams::upstreams(status))?;
    section(out, &upstreams::bounds(status))?;
    section(out, &limits::limits(status))?;
    section(out, &gates::table(&status.gates))?;
    section(out, &tokens::table(&status.tokens))?;
    section(out, &mirrors::table(&status.mirrors))?;
    section(out, &limits::hottest(status))?;
    section(out, &protection::table(status.protection.as_ref()))?;
    section(out, &prefilter::limits(&status.prefilter))?;
    section(out, &prefilter::packets(&status.prefilter))?;
    section(out, &prefilter::samples(&status.prefilter))
}

fn section<const N: usize>(out: &mut impl Write, table: &Table<N>) -> io::Result<()> {
    if !table.is_empty() {
        writeln!(out)?;
    }
    table.write(out)
}

fn listeners(status: &document::Status) -> Table<4> {
    let mut table = Table::new(["LISTENER", "ADDRESS", "OPEN>", "TLS"]);
    for listener in &status.listeners {
        table.row([
            listener.name.clone(),
            listener.address.clone(),
            listener.connections_open.to_string(),
            tls(&listener.certificates),
        ]);
    }
    table
}

/// How many certificates there are, and the day on which the first of them ends.
fn tls(certificates: &[document::CertificateStatus]) -> String {
    let first = certificates
        .iter()
        .min_by_key(|each| each.ends_unix_seconds);
    let Some(first) = first else {
        return "off: clients speak in the clear".to_owned();
    };
    let day = first.ends.split('T').next().unwrap_or_default();
    match certificates.len() {
        1 => format!("1 certificate, until {day}"),
        several => format!("{several} certificates, the first until {day}"),
    }
}
