//! What changes in the pre-filter.

use super::ChangeKind;
use super::compare::{Changes, or_else, word};
use crate::units::format_duration;
use crate::{BlockBudget, Checks, PacketLimit, Prefilter};

/// What is decided when the filter's table is made.
pub(super) fn fixed(changes: &mut Changes, old: Option<&Prefilter>, new: Option<&Prefilter>) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (None, Some(_)) => return changes.push("prefilter", ChangeKind::Added),
        (Some(_), None) => return changes.push("prefilter", ChangeKind::Removed),
        (Some(old), Some(new)) => (old, new),
    };
    changes.value(
        "prefilter.table.sources",
        &old.table_sources,
        &new.table_sources,
        word,
    );
    changes.value(
        "prefilter.instance",
        &old.instance,
        &new.instance,
        String::clone,
    );
}

/// What a new program brings with it.
pub(super) fn live(changes: &mut Changes, old: Option<&Prefilter>, new: Option<&Prefilter>) {
    let (Some(old), Some(new)) = (old, new) else {
        return;
    };
    let joined = |names: &Vec<String>| names.join(", ");
    let (before, after) = (&old.interfaces, &new.interfaces);
    changes.value("prefilter.interfaces", before, after, joined);
    changes.value("prefilter.mode", &old.mode, &new.mode, word);
    changes.value("prefilter.required", &old.required, &new.required, word);
    changes.value("prefilter.replace", &old.replace, &new.replace, word);
    changes.entries("prefilter.allow", &old.allow, &new.allow);
    changes.entries("prefilter.deny", &old.deny, &new.deny);
    changes.by_name("prefilter.limits", &old.limits, &new.limits, limit);
    changes.value("prefilter.malformed", &old.malformed, &new.malformed, word);
    changes.value("prefilter.fragments", &old.fragments, &new.fragments, word);
    checks(changes, old.checks, new.checks);
    blocks(changes, &old.blocks, &new.blocks);
    changes.value(
        "prefilter.sample",
        &old.sample,
        &new.sample,
        ToString::to_string,
    );
    changes.value("prefilter.outlive", &old.outlive, &new.outlive, |span| {
        format_duration(*span)
    });
}

fn checks(changes: &mut Changes, old: Checks, new: Checks) {
    for (name, old, new) in [
        ("tcp_flags", old.tcp_flags, new.tcp_flags),
        ("land", old.land, new.land),
        ("martians", old.martians, new.martians),
        ("lengths", old.lengths, new.lengths),
    ] {
        changes.value(&format!("prefilter.checks.{name}"), &old, &new, word);
    }
}

fn blocks(changes: &mut Changes, old: &BlockBudget, new: &BlockBudget) {
    changes.value("prefilter.blocks.action", &old.action, &new.action, word);
    changes.value("prefilter.blocks.max", &old.max, &new.max, word);
    changes.value(
        "prefilter.blocks.rate",
        &old.rate,
        &new.rate,
        ToString::to_string,
    );
}

fn limit(changes: &mut Changes, path: &str, old: &PacketLimit, new: &PacketLimit) {
    changes.edited(&format!("{path}.match"), &old.matches, &new.matches);
    changes.edited(&format!("{path}.key"), &old.key, &new.key);
    for (name, old, new) in [
        ("ipv4_prefix", old.ipv4_prefix, new.ipv4_prefix),
        ("ipv6_prefix", old.ipv6_prefix, new.ipv6_prefix),
    ] {
        let shown = or_else("as in clients", ToString::to_string);
        changes.value(&format!("{path}.{name}"), &old, &new, shown);
    }
    changes.value(
        &format!("{path}.rate"),
        &old.rate,
        &new.rate,
        ToString::to_string,
    );
    changes.value(&format!("{path}.per"), &old.per, &new.per, word);
    changes.value(&format!("{path}.over"), &old.over, &new.over, word);
    changes.value(&format!("{path}.shadow"), &old.shadow, &new.shadow, word);
    changes.edited(
        &format!("{path}.exceptions"),
        &old.exceptions,
        &new.exceptions,
    );
}
