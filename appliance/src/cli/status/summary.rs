//! The first lines: the process as a whole.

use std::io::{self, Write};

use super::{prefilter, state};
use crate::{
    cli::printable::printable,
    cli::table::{bytes, span},
    reload::LastReload,
    status as document,
};

pub(super) fn summary(out: &mut impl Write, status: &document::Status) -> io::Result<()> {
    let document::Status {
        version,
        pid,
        since,
        uptime_seconds,
        generation,
        ..
    } = status;
    writeln!(
        out,
        "floodwall    {version}, pid {pid}, up {} since {since}",
        span(*uptime_seconds)
    )?;
    writeln!(out, "file         {}", generation.file.display())?;
    writeln!(out, "generation   {}", layers(generation))?;
    last_reload(out, status.last_reload.as_ref())?;
    prefilter::summary(out, &status.prefilter)?;
    let table = &status.table;
    let memory = if table.shared_with_kernel {
        "shared with the kernel"
    } else {
        "its own memory"
    };
    writeln!(
        out,
        "flow table   {} cells, {}, {memory}",
        table.cells,
        bytes(table.bytes)
    )?;
    writeln!(
        out,
        "             {} displaced, {} contended",
        table.displaced, table.contended
    )?;
    connections(out, &status.connections)?;
    requests(out, &status.requests)?;
    blocks(out, status)?;
    state::summary(out, status.state.as_ref())?;
    log(out, status)?;
    if status.protection.is_none() {
        writeln!(out, "protection   off: the configuration has none")?;
    }
    Ok(())
}

fn connections(out: &mut impl Write, connections: &document::ConnectionCounts) -> io::Result<()> {
    let document::ConnectionCounts {
        open,
        accepted,
        refused_blocked,
        refused_full,
        cut,
        offences,
        failed,
    } = connections;
    writeln!(
        out,
        "connections  {open} open, {accepted} accepted; refused {refused_blocked} blocked, {refused_full} too many"
    )?;
    if *cut > 0 {
        writeln!(out, "             {cut} cut off by a block")?;
    }
    for (offence, count) in offences.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "             {count} of HTTP/2 ended for {offence}")?;
    }
    let failed: Vec<_> = failed
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if !failed.is_empty() {
        writeln!(
            out,
            "             ended in their handshake: {}",
            failed.join(", ")
        )?;
    }
    Ok(())
}

fn requests(out: &mut impl Write, requests: &document::RequestCounts) -> io::Result<()> {
    writeln!(
        out,
        "requests     {} in flight; refused {} malformed, {} without a route",
        requests.in_flight, requests.malformed, requests.unrouted
    )?;
    writeln!(
        out,
        "             finished {}",
        counts(
            requests
                .finished
                .iter()
                .map(|each| (each.count, each.class.as_str()))
        )
    )?;
    writeln!(
        out,
        "             decided  {}",
        counts(
            requests
                .verdicts
                .iter()
                .map(|each| (each.count, each.verdict.as_str()))
        )
    )
}

fn blocks(out: &mut impl Write, status: &document::Status) -> io::Result<()> {
    let budget = &status.blocks_budget;
    writeln!(
        out,
        "blocks       {}, {} by limits, which may make {}",
        status.blocks, budget.standing, budget.max
    )?;
    if budget.refused_full + budget.refused_rate > 0 {
        writeln!(
            out,
            "             not made: {} over the number, {} too fast",
            budget.refused_full, budget.refused_rate
        )?;
    }
    Ok(())
}

fn log(out: &mut impl Write, status: &document::Status) -> io::Result<()> {
    let to = match status.access_log.as_str() {
        "off" => "off: `log.access` says so",
        to => to,
    };
    writeln!(out, "access log   {}", printable(to))?;
    match status.requests.access_log_dropped {
        0 => Ok(()),
        lost => writeln!(out, "             {lost} lines could not be kept"),
    }
}

fn layers(generation: &document::GenerationStatus) -> String {
    match generation.kernel {
        Some(kernel) => format!(
            "{} in the proxy, {kernel} in the pre-filter",
            generation.proxy
        ),
        None => format!("{} in the proxy, the pre-filter is off", generation.proxy),
    }
}

fn last_reload(out: &mut impl Write, last: Option<&LastReload>) -> io::Result<()> {
    match last {
        None => writeln!(out, "last reload  none since the start"),
        Some(last) if last.ok => writeln!(
            out,
            "last reload  {}, taken, changes: {}",
            last.at,
            last.changes.len()
        ),
        Some(last) => {
            writeln!(
                out,
                "last reload  {}, REFUSED, nothing has changed:",
                last.at
            )?;
            last.problems
                .iter()
                .try_for_each(|problem| writeln!(out, "             {problem}"))
        }
    }
}

fn counts<'a>(counts: impl Iterator<Item = (u64, &'a str)>) -> String {
    let counts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, of)| format!("{count} {of}"))
        .collect();
    if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    }
}
