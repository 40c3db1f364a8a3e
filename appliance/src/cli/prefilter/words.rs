//! The pre-filter's rules, in words.

use floodwall_config::{
    Allowance, IcmpType, Over, PacketKey, PacketLimit, PacketMatch, Per, Prefilter,
};

/// Each rule with the part of the file that it stands in, in the order in which packets meet them.
pub(super) fn rules(prefilter: &Prefilter) -> Vec<(&'static str, String)> {
    let checks = prefilter.checks;
    let mut rules = vec![
        ("interfaces", prefilter.interfaces.join(", ")),
        ("malformed", word(prefilter.malformed)),
        ("fragments", word(prefilter.fragments)),
        (
            "checks",
            format!(
                "TCP flags {}, land {}, martians {}, lengths {}",
                word(checks.tcp_flags),
                word(checks.land),
                word(checks.martians),
                word(checks.lengths)
            ),
        ),
        ("allow", format!("{} networks", prefilter.allow.len())),
        ("deny", format!("{} networks", prefilter.deny.len())),
        (
            "blocks",
            format!(
                "{}; limits may block {} sources, {} new ones",
                word(prefilter.blocks.action),
                prefilter.blocks.max,
                prefilter.blocks.rate
            ),
        ),
        ("sample", prefilter.sample.text.clone()),
    ];
    rules.extend(prefilter.limits.iter().map(|each| ("limit", limit(each))));
    rules
}

fn limit(limit: &PacketLimit) -> String {
    let unit = match limit.per {
        Per::Packets => "packets",
        Per::Bytes => "bytes",
    };
    let shadow = if limit.shadow {
        " (shadow: drops nothing)"
    } else {
        ""
    };
    let over = match limit.over {
        Over::Drop => "",
        Over::Cookie => ", then SYN cookies",
    };
    let exceptions = limit.exceptions.iter().map(|exception| {
        let allowed = match &exception.allowance {
            Allowance::Unlimited => "unlimited".to_owned(),
            Allowance::Rate(rate) => rate.to_string(),
        };
        format!("; {}: {allowed}", exception.net)
    });
    format!(
        "{}{shadow}: {}, by {}, {} {unit}{over}{}",
        limit.name,
        counted(&limit.matches),
        key(limit),
        limit.rate,
        exceptions.collect::<String>()
    )
}

/// Which packets are counted.
fn counted(matches: &PacketMatch) -> String {
    let mut words = Vec::new();
    if let Some(protocol) = matches.protocol {
        words.push(protocol.to_string());
    }
    if matches.syn {
        words.push("SYN".to_owned());
    }
    if matches.new {
        words.push("new connections".to_owned());
    }
    if !matches.icmp.is_empty() {
        let types: Vec<String> = matches.icmp.iter().copied().map(icmp).collect();
        words.push(format!("ICMP types {}", types.join(", ")));
    }
    if !matches.ports.is_empty() {
        let ports: Vec<String> = matches
            .ports
            .iter()
            .map(|range| match (range.first, range.last) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            })
            .collect();
        words.push(format!("to port {}", ports.join(", ")));
    }
    if words.is_empty() {
        "every packet".to_owned()
    } else {
        words.join(" ")
    }
}

fn icmp(kind: IcmpType) -> String {
    match (kind.v4, kind.v6) {
        (Some(v4), Some(v6)) if v4 != v6 => format!("{v4} (v6: {v6})"),
        (Some(number), _) | (None, Some(number)) => number.to_string(),
        (None, None) => String::new(),
    }
}

fn key(limit: &PacketLimit) -> String {
    let prefix = |bits: Option<u8>| bits.map(|bits| format!("/{bits}")).unwrap_or_default();
    let source = || {
        let (v4, v6) = (prefix(limit.ipv4_prefix), prefix(limit.ipv6_prefix));
        match (v4.is_empty(), v6.is_empty()) {
            (true, true) => "source".to_owned(),
            (false, true) => format!("source {v4}"),
            (true, false) => format!("source (v6: {v6})"),
            (false, false) => format!("source {v4} (v6: {v6})"),
        }
    };
    match limit.key {
        PacketKey::None => "nothing: one budget for all".to_owned(),
        PacketKey::Source => source(),
        PacketKey::Port => "port".to_owned(),
        PacketKey::SourcePort => format!("{} and port", source()),
    }
}

/// A word of the file: its variant's name in lower case.
fn word(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}
