//! Comparing two values, and saying how they differ.

use std::collections::HashMap;
use std::fmt;

use super::{Change, ChangeKind};
use crate::{Gate, Limit, Listener, PacketLimit, Route, Token, Trigger, Upstream};

/// The differences found so far.
#[derive(Default)]
pub(super) struct Changes(pub(super) Vec<Change>);

impl Changes {
    pub(super) fn push(&mut self, path: impl Into<String>, kind: ChangeKind) {
        self.0.push(Change {
            path: path.into(),
            kind,
        });
    }

    /// Compares values that `show` makes short enough to be read in a line.
    pub(super) fn value<T: PartialEq>(
        &mut self,
        path: &str,
        old: &T,
        new: &T,
        show: impl Fn(&T) -> String,
    ) {
        if old != new {
            self.push(
                path,
                ChangeKind::Changed {
                    old: show(old),
                    new: show(new),
                },
            );
        }
    }

    /// Compares values that are better read in the file.
    pub(super) fn edited<T: PartialEq>(&mut self, path: &str, old: &T, new: &T) {
        if old != new {
            self.push(path, ChangeKind::Edited);
        }
    }

    /// Compares lists whose order means nothing by how many entries only one of them has.
    pub(super) fn entries<T: Ord + Copy>(&mut self, path: &str, old: &[T], new: &[T]) {
        if old == new {
            return;
        }
        let (old, new) = (sorted(old), sorted(new));
        let (mut both, mut after) = (0, new.iter().peekable());
        for entry in &old {
            while after.next_if(|next| *next < entry).is_some() {}
            both += usize::from(after.next_if_eq(&entry).is_some());
        }
        let (added, removed) = (new.len() - both, old.len() - both);
        if added + removed > 0 {
            self.push(path, ChangeKind::Entries { added, removed });
        }
    }

    /// Compares things by their names, whatever their order; `compare` those that are in both.
    pub(super) fn by_name<T: Named>(
        &mut self,
        path: &str,
        old: &[T],
        new: &[T],
        compare: impl Fn(&mut Self, &str, &T, &T),
    ) {
        let mut gone: HashMap<&str, &T> = old.iter().map(|item| (item.name(), item)).collect();
        for item in new {
            let path = format!("{path}.{}", item.name());
            match gone.remove(item.name()) {
                Some(before) => compare(self, &path, before, item),
                None => self.push(path, ChangeKind::Added),
            }
        }
        for item in old.iter().filter(|item| gone.contains_key(item.name())) {
            self.push(format!("{path}.{}", item.name()), ChangeKind::Removed);
        }
    }
}

/// The entries of a list in their order, each once.
fn sorted<T: Ord + Copy>(list: &[T]) -> Vec<T> {
    let mut entries = list.to_vec();
    entries.sort_unstable();
    entries.dedup();
    entries
}

/// Things that the operator names.
pub(super) trait Named {
    fn name(&self) -> &str;
}

macro_rules! named {
    ($($type:ty),*) => {$(
        impl Named for $type {
            fn name(&self) -> &str {
                &self.name
            }
        }
    )*};
}
impl Named for Trigger {
    fn name(&self) -> &str {
        self.measure.name()
    }
}

named!(Gate, Listener, Upstream, Limit, PacketLimit, Route, Token);

/// A word of the file: its variant's name in lower case.
pub(super) fn word<T: fmt::Debug>(value: &T) -> String {
    format!("{value:?}").to_lowercase()
}

/// A value that may be absent, or what its absence means.
pub(super) fn or_else<T>(
    absent: &'static str,
    show: impl Fn(&T) -> String,
) -> impl Fn(&Option<T>) -> String {
    move |value| value.as_ref().map_or(absent.into(), &show)
}
