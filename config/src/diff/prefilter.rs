//! What changes in the pre-filter.

use super::ChangeKind;
use super::compare::{Changes, word};
use crate::Prefilter;
use crate::units::format_duration;

/// What is decided when the filter is attached, or when its table is made.
pub(super) fn fixed(changes: &mut Changes, old: Option<&Prefilter>, new: Option<&Prefilter>) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (None, Some(_)) => return changes.push("prefilter", ChangeKind::Added),
        (Some(_), None) => return changes.push("prefilter", ChangeKind::Removed),
        (Some(old), Some(new)) => (old, new),
    };
    let joined = |names: &Vec<String>| names.join(", ");
    changes.value(
        "prefilter.interfaces",
        &old.interfaces,
        &new.interfaces,
        joined,
    );
    changes.value("prefilter.mode", &old.mode, &new.mode, word);
    changes.value("prefilter.required", &old.required, &new.required, word);
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
    changes.entries("prefilter.allow", &old.allow, &new.allow);
    changes.entries("prefilter.deny", &old.deny, &new.deny);
    changes.edited("prefilter.limits", &old.limits, &new.limits);
    changes.value("prefilter.malformed", &old.malformed, &new.malformed, word);
    changes.value("prefilter.outlive", &old.outlive, &new.outlive, |span| {
        format_duration(*span)
    });
}
