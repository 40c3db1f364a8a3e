//! The first lines: both layers at a glance.

use super::{
    Sample,
    canvas::{Colour, Style},
    rates::{PacketRates, Rates},
    sections::amount,
};
use crate::{
    cli::{printable::printable, table::span},
    prefilter::{InterfaceState, KernelStatus},
    status::Status,
};

/// A line in pieces, each with its style.
#[derive(Debug, Default)]
pub(super) struct Line(pub Vec<(String, Style)>);

/// So many lines are above the sections.
pub(super) const LINES: usize = 4;

impl Line {
    fn with(mut self, text: impl AsRef<str>, style: Style) -> Self {
        self.0.push((printable(text.as_ref()).into_owned(), style));
        self
    }

    fn plain(self, text: impl AsRef<str>) -> Self {
        self.with(text, Style::PLAIN)
    }

    /// The line without its styles.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }
}

/// The process, the proxy, the kernel, and who is kept out.
pub(super) fn lines(sample: &Sample, rates: Option<&Rates>) -> [Line; LINES] {
    let status = &sample.status;
    [
        process(status),
        requests(status, rates),
        packets(&status.prefilter, rates.map(|rates| &rates.packets)),
        sources(sample, rates),
    ]
}

fn heading(word: &str) -> Line {
    Line::default().with(format!("{word:<10} "), Style::BOLD)
}

fn process(status: &Status) -> Line {
    let generation = &status.generation;
    let kernel = match generation.kernel {
        Some(kernel) if kernel != generation.proxy => format!(" (kernel: {kernel})"),
        _ => String::new(),
    };
    let refused = status.last_reload.as_ref().is_some_and(|reload| !reload.ok);
    let line = heading("floodwall").plain(format!(
        "{}, pid {}, up {}, generation {}{kernel}",
        status.version,
        status.pid,
        span(status.uptime_seconds),
        generation.proxy,
    ));
    if refused {
        line.with("  last reload refused", Style::BOLD.coloured(Colour::Red))
    } else {
        line
    }
}

fn requests(status: &Status, rates: Option<&Rates>) -> Line {
    let in_flight = status.requests.in_flight;
    let Some(rates) = rates.map(|rates| &rates.requests) else {
        return heading("requests").plain(format!("- /s  {in_flight} in flight"));
    };
    let mut line = heading("requests").with(per_second(rates.finished_per_second), Style::BOLD);
    for each in rates.by_verdict.iter().filter(|each| each.per_second > 0.0) {
        let style = match each.verdict.as_str() {
            "admitted" => Style::PLAIN,
            "failed" | "unavailable" => Style::PLAIN.coloured(Colour::Red),
            _ => Style::PLAIN.coloured(Colour::Yellow),
        };
        line = line.with(
            format!("  {} {}", each.verdict, amount(each.per_second)),
            style,
        );
    }
    // Whoever was admitted may still have got an error from the upstream.
    let errors = rates.by_class.iter().find(|each| each.class == "5xx");
    if let Some(errors) = errors.filter(|errors| errors.per_second > 0.0) {
        let style = Style::PLAIN.coloured(Colour::Red);
        line = line.with(format!("  5xx {}", amount(errors.per_second)), style);
    }
    line.plain(format!("  {in_flight} in flight"))
}

fn packets(kernel: &KernelStatus, rates: Option<&PacketRates>) -> Line {
    if !kernel.on {
        let why = kernel.why.as_deref().unwrap_or("nobody knows why");
        return heading("packets").plain(format!("the pre-filter is off: {why}"));
    }
    let interfaces = interfaces(kernel);
    let Some(rates) = rates else {
        return heading("packets").plain(format!("- /s  {interfaces}"));
    };
    let all = rates.passed_per_second + rates.dropped_per_second + rates.answered_per_second;
    let mut line = heading("packets")
        .with(per_second(all), Style::BOLD)
        .plain(format!("  passed {}", amount(rates.passed_per_second)));
    line = kept_out(line, "dropped", rates.dropped_per_second);
    line = kept_out(line, "answered", rates.answered_per_second);
    line.plain(format!("  {interfaces}"))
}

fn interfaces(kernel: &KernelStatus) -> String {
    let words = kernel.interfaces.iter().map(|interface| {
        let name = &interface.name;
        match (interface.state, &interface.mode) {
            (InterfaceState::Filtering, Some(mode)) => format!("{mode} on {name}"),
            (InterfaceState::Filtering, None) => format!("on {name}"),
            (InterfaceState::Covered, _) => format!("{name} with another"),
            (InterfaceState::Waiting | InterfaceState::Refused, _) => format!("NOT on {name}"),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn sources(sample: &Sample, rates: Option<&Rates>) -> Line {
    let status = &sample.status;
    let (budget, connections) = (&status.blocks_budget, &status.connections);
    let style = if status.blocks > 0 {
        Style::BOLD.coloured(Colour::Yellow)
    } else {
        Style::BOLD
    };
    let mut line = heading("blocked")
        .with(format!("{}", status.blocks), style)
        .plain(format!(
            "  by limits {} of {}  connections {} open",
            budget.standing, budget.max, connections.open
        ));
    if let Some(rates) = rates.map(|rates| &rates.connections) {
        line = line.plain(format!(", {} new", per_second(rates.accepted_per_second)));
        line = kept_out(line, "refused", rates.refused_per_second);
    }
    line
}

/// Says how many were kept out, if any were.
fn kept_out(line: Line, word: &str, rate: f64) -> Line {
    if rate > 0.0 {
        let style = Style::PLAIN.coloured(Colour::Yellow);
        line.with(format!("  {word} {}", amount(rate)), style)
    } else {
        line
    }
}

fn per_second(rate: f64) -> String {
    format!("{}/s", amount(rate))
}
