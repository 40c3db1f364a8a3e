//! Names that the operator chooses, and references to them.

use std::collections::HashMap;

use super::{Cursor, text};
use crate::problem::{Fault, nearest};

/// What a name may be: it stands in headers, metrics and messages as it is.
pub(crate) const NAME_PATTERN: &str = "[A-Za-z0-9_.:/@+-]{1,64}";

/// Checks a name that stands as a key.
pub(crate) fn name(name: &str, value: Cursor<'_>) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:/@+-".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(plain) {
        return Some(name.to_owned());
    }
    value.refuse_as(
        format!("the name {name:?}"),
        "1 to 64 letters, digits or any of _ . : / @ + -",
    )
}

/// The names of one kind of thing, in the order of the file.
pub(crate) struct Names<'a> {
    kind: &'static str,
    index: HashMap<&'a str, usize>,
    /// The first of them, for messages.
    first: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(kind: &'static str, names: Vec<&'a str>) -> Self {
        let mut index = HashMap::with_capacity(names.len());
        for name in &names {
            let next = index.len();
            index.entry(*name).or_insert(next);
        }
        Self {
            kind,
            index,
            first: names.into_iter().take(10).collect(),
        }
    }

    /// The place of the thing that `value` names, in the order of the file.
    pub(crate) fn resolve(&self, value: Cursor<'_>) -> Option<usize> {
        self.find(text(value)?, value)
    }

    /// The place of the thing of this name; problems are reported at `value`.
    pub(crate) fn find(&self, name: &str, value: Cursor<'_>) -> Option<usize> {
        if let Some(index) = self.index.get(name) {
            return Some(*index);
        }
        let wanted = value.wants_suggestions();
        let near = wanted
            .then(|| nearest(name, self.index.keys().copied()))
            .flatten();
        let near = near.map(str::to_owned);
        value.fault(Fault::UnknownName {
            kind: self.kind,
            found: name.into(),
            near,
            allowed: self.allowed(),
        })
    }

    fn allowed(&self) -> String {
        let more = self.index.len().saturating_sub(self.first.len());
        match (self.first.is_empty(), more) {
            (true, _) => format!("a name of a {}, of which the file has none", self.kind),
            (false, 0) => self.first.join(", "),
            (false, more) => format!("{} and {more} more", self.first.join(", ")),
        }
    }
}
