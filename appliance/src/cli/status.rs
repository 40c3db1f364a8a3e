//! `floodwall status`

mod gates;
mod mirrors;
mod routes;
mod tokens;

use std::io::{self, Write};

use clap::Args;

use super::{
    Failure, print_json,
    table::{Table, bytes, span},
    target::{Target, unexpected},
};
use crate::{
    control::protocol::{Reply, Request},
    prefilter::{Interface, InterfaceState, KernelStatus, PacketCount},
    protection::status::{ProtectionStatus, Unit},
    reload::LastReload,
    status::{self as document, BreakerState},
};

/// Show what the running service does: both layers, listeners, upstreams and limits
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    target: Target,
    /// One JSON document
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
    summary(out, status)?;
    section(out, &listeners(status))?;
    section(out, &routes::routes(status))?;
    section(out, &upstreams(status))?;
    section(out, &bounds(status))?;
    section(out, &limits(status))?;
    section(out, &gates::table(&status.gates))?;
    section(out, &tokens::table(&status.tokens))?;
    section(out, &mirrors::table(&status.mirrors))?;
    section(out, &hottest(status))?;
    section(out, &protection(status.protection.as_ref()))?;
    section(out, &packet_limits(&status.prefilter))?;
    section(out, &packets(&status.prefilter))?;
    section(out, &samples(&status.prefilter))
}

fn section<const N: usize>(out: &mut impl Write, table: &Table<N>) -> io::Result<()> {
    if !table.is_empty() {
        writeln!(out)?;
    }
    table.write(out)
}

fn summary(out: &mut impl Write, status: &document::Status) -> io::Result<()> {
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
    prefilter(out, &status.prefilter)?;
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
    let document::ConnectionCounts {
        open,
        accepted,
        refused_blocked,
        refused_full,
        cut,
        offences,
        failed,
    } = &status.connections;
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
    let requests = &status.requests;
    writeln!(
        out,
        "requests     {} in flight; refused {} malformed, {} without a route",
        requests.in_flight, requests.malformed, requests.unrouted
    )?;
    writeln!(
        out,
        "             finished {}",
        finished(&requests.finished)
    )?;
    blocks(out, status)
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

fn finished(classes: &[document::ClassCount]) -> String {
    let classes: Vec<String> = classes
        .iter()
        .filter(|class| class.count > 0)
        .map(|class| format!("{} {}", class.count, class.class))
        .collect();
    if classes.is_empty() {
        "none".to_owned()
    } else {
        classes.join(", ")
    }
}

fn prefilter(out: &mut impl Write, kernel: &KernelStatus) -> io::Result<()> {
    if !kernel.on && kernel.interfaces.is_empty() {
        return writeln!(
            out,
            "pre-filter   off: {}",
            kernel.why.as_deref().unwrap_or("nobody knows why")
        );
    }
    let mut heading = "pre-filter ";
    for interface in &kernel.interfaces {
        writeln!(out, "{heading}  {}", in_words(interface))?;
        if let Some(why) = &interface.fallback {
            writeln!(out, "             not native: {why}")?;
        }
        if let Some(program) = &interface.replaced {
            writeln!(out, "             in the place of {program}")?;
        }
        heading = "           ";
    }
    for lacking in kernel
        .features
        .iter()
        .filter(|each| each.present == Some(false))
    {
        let (name, since) = (&lacking.name, &lacking.since);
        writeln!(
            out,
            "             this kernel lacks {name}, which came with {since}"
        )?;
    }
    if let Some(why) = &kernel.why {
        writeln!(out, "             {why}")?;
    }
    if let Some(why) = &kernel.no_cookies {
        writeln!(
            out,
            "             SYNs are dropped, not answered with cookies: {why}"
        )?;
    }
    writeln!(
        out,
        "             {} displaced, {} contended, {} answered with a reset",
        kernel.displaced, kernel.contended, kernel.resets
    )
}

/// The keys that the limits were asked for most: a few of each.
fn hottest(status: &document::Status) -> Table<5> {
    const SHOWN: usize = 3;
    let mut table = Table::new(["HOTTEST KEYS", "REQUESTS>", "ERROR>", "REFUSED>", "KEY"]);
    // One key for all is no hotter than its limit.
    let limits = status.limits.iter().filter(|limit| limit.key != ["none"]);
    for limit in limits {
        for hot in limit.hottest.iter().take(SHOWN) {
            table.row([
                limit.name.clone(),
                hot.requests.to_string(),
                hot.error.to_string(),
                hot.refused.to_string(),
                hot.key.clone(),
            ]);
        }
    }
    table
}

fn in_words(interface: &Interface) -> String {
    let name = &interface.name;
    match interface.state {
        InterfaceState::Filtering => {
            let mode = interface.mode.as_deref().unwrap_or("somehow");
            let adopted = if interface.adopted {
                ", adopted from an earlier process"
            } else {
                ""
            };
            format!("{mode} on {name}{adopted}")
        }
        InterfaceState::Waiting => format!("waiting for {name}: there is no such interface"),
        InterfaceState::Refused => {
            let why = interface.why.as_deref().unwrap_or("nobody knows why");
            format!("NOT on {name}: {why}")
        }
    }
}

fn protection(status: Option<&ProtectionStatus>) -> Table<6> {
    let mut table = Table::new(["OVERLOAD", "NOW>", "TRIGGER>", "STRATEGY", "SHEDS", "SHED>"]);
    for measure in status.iter().flat_map(|status| &status.measures) {
        let sheds = measure.priorities.iter().filter(|each| each.sheds);
        let sheds: Vec<&str> = sheds.map(|each| each.priority.as_str()).collect();
        let shed: u64 = measure.priorities.iter().map(|each| each.shed).sum();
        let value = measure.value;
        table.row([
            measure.measure.clone(),
            value.map_or_else(
                || "unknown here".to_owned(),
                |value| amount(measure.unit, value),
            ),
            amount(measure.unit, measure.trigger),
            measure.strategy.clone(),
            sheds.join(", "),
            shed.to_string(),
        ]);
    }
    table
}

fn amount(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{:.1}%", value * 100.0),
        Unit::Load => format!("{value:.2} a core"),
        Unit::Requests => format!("{value}"),
        Unit::Burst => format!("{value} of the burst"),
        Unit::Seconds => span(value),
    }
}

/// What came in: over all interfaces, and where there are several, over each.
fn packets(kernel: &KernelStatus) -> Table<5> {
    let mut table = Table::new(["PACKETS", "", "OVER", "COUNT>", "BYTES>"]);
    let mut rows = |interface: &str, counts: &[PacketCount]| {
        for count in counts.iter().filter(|count| count.packets > 0) {
            let (verdict, bytes) = if count.dropped {
                ("dropped", count.bytes.to_string())
            } else if count.answered {
                ("answered", String::new())
            } else {
                ("passed", String::new())
            };
            table.row([
                count.reason.clone(),
                verdict.to_owned(),
                interface.to_owned(),
                count.packets.to_string(),
                bytes,
            ]);
        }
    };
    match kernel.interfaces.as_slice() {
        [only] => rows(&only.name, &kernel.packets),
        several => {
            rows("all", &kernel.packets);
            for interface in several {
                rows(&interface.name, &interface.packets);
            }
        }
    }
    table
}

fn packet_limits(kernel: &KernelStatus) -> Table<5> {
    let mut table = Table::new([
        "PACKET LIMIT",
        "ADMITTED>",
        "DROPPED>",
        "COOKIES>",
        "SHADOWED>",
    ]);
    for limit in &kernel.limits {
        table.row([
            limit.name.clone(),
            limit.admitted.to_string(),
            limit.dropped.to_string(),
            limit.cookies.to_string(),
            limit.shadowed.to_string(),
        ]);
    }
    table
}

/// The last packets that the kernel dropped and showed.
fn samples(kernel: &KernelStatus) -> Table<5> {
    let mut table = Table::new(["LAST DROPPED", "SOURCE", "TO", "WHY", "OVER"]);
    for sample in &kernel.samples {
        let port = sample.port.map(|port| format!(" {port}"));
        let limit = sample.limit.as_ref().map(|limit| format!(" by {limit}"));
        table.row([
            sample.at.clone(),
            sample.source.clone().unwrap_or_default(),
            format!("{}{}", sample.protocol, port.unwrap_or_default()),
            format!("{}{}", sample.reason, limit.unwrap_or_default()),
            sample.interface.clone(),
        ]);
    }
    table
}

fn listeners(status: &document::Status) -> Table<3> {
    let mut table = Table::new(["LISTENER", "ADDRESS", "OPEN>"]);
    for listener in &status.listeners {
        table.row([
            listener.name.clone(),
            listener.address.clone(),
            listener.connections_open.to_string(),
        ]);
    }
    table
}

fn upstreams(status: &document::Status) -> Table<6> {
    let mut table = Table::new([
        "UPSTREAM",
        "REQUESTS>",
        "UNREACHABLE>",
        "RETRIES>",
        "ERRORS>",
        "SERVERS",
    ]);
    for upstream in &status.upstreams {
        let unknown = upstream
            .names
            .iter()
            .filter(|name| name.addresses.is_empty());
        let servers: Vec<String> = (upstream.servers.iter().map(server))
            .chain(unknown.map(|name| format!("{} (not found)", name.name)))
            .collect();
        table.row([
            upstream.name.clone(),
            upstream.requests.to_string(),
            upstream.connect_failures.to_string(),
            upstream.retries.to_string(),
            upstream.errors.to_string(),
            servers.join(", "),
        ]);
    }
    table
}

fn server(server: &document::ServerStatus) -> String {
    let weight = match server.weight {
        1 => String::new(),
        weight => format!(" x{weight}"),
    };
    let breaker = match &server.breaker {
        Some(breaker) if breaker.state != BreakerState::Closed => {
            format!(" ({})", self::breaker(breaker))
        }
        _ => String::new(),
    };
    let out = server.out_for_seconds.map_or(String::new(), |left| {
        format!(" (left out for {})", span(left))
    });
    let health = match &server.health {
        Some(health) if !health.healthy => " (unhealthy)",
        _ => "",
    };
    let start = if server.share < 1.0 {
        format!(" (at {:.0} % of its weight)", server.share * 100.0)
    } else {
        String::new()
    };
    format!("{}{weight}{health}{start}{breaker}{out}", server.address)
}

/// The upstreams that do not take every request: what bounds them, and how they stand.
fn bounds(status: &document::Status) -> Table<5> {
    let mut table = Table::new(["UPSTREAM", "IN FLIGHT>", "FULL>", "OPEN>", "BREAKER"]);
    for upstream in &status.upstreams {
        let has_breakers = upstream
            .servers
            .iter()
            .any(|server| server.breaker.is_some());
        if upstream.max_in_flight.is_none() && upstream.breaker.is_none() && !has_breakers {
            continue;
        }
        let in_flight = match (upstream.in_flight, upstream.max_in_flight) {
            (Some(now), Some(most)) => format!("{now}/{most}"),
            _ => String::new(),
        };
        let breaker = match &upstream.breaker {
            Some(breaker) => self::breaker(breaker),
            None if has_breakers => "one for each server".to_owned(),
            None => String::new(),
        };
        table.row([
            upstream.name.clone(),
            in_flight,
            upstream.refused_full.to_string(),
            upstream.refused_open.to_string(),
            breaker,
        ]);
    }
    table
}

fn breaker(breaker: &document::BreakerStatus) -> String {
    let since = breaker
        .since_seconds
        .map_or(String::new(), |since| format!(" for {}", span(since)));
    match breaker.state {
        BreakerState::Closed => {
            format!(
                "closed{since}, {} of {} answers bad",
                breaker.bad, breaker.answers
            )
        }
        BreakerState::Open => {
            let left = breaker.open_for_seconds.unwrap_or_default();
            format!("open{since}, tries again in {}", span(left))
        }
        BreakerState::HalfOpen => format!(
            "half-open{since}, {} probes under way, {} succeeded",
            breaker.probes_in_flight, breaker.probes_succeeded
        ),
    }
}

fn limits(status: &document::Status) -> Table<7> {
    let mut table = Table::new([
        "LIMIT",
        "RATE>",
        "BURST>",
        "ADMITTED>",
        "REFUSED>",
        "BLOCKS>",
        "KEY",
    ]);
    for limit in &status.limits {
        let (refused, key) = (limit.refused + limit.shadowed, limit.key.join(", "));
        table.row([
            limit.name.clone(),
            limit.rate.clone(),
            limit.burst.to_string(),
            limit.admitted.to_string(),
            refused.to_string(),
            limit.blocks.to_string(),
            if limit.shadow {
                format!("{key} (shadow: refuses nobody)")
            } else {
                key
            },
        ]);
    }
    table
}
