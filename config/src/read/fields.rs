//! The keys of a section, each taken once.

use std::cell::Cell;

use super::Cursor;
use crate::problem::{Fault, nearest};
use crate::section::Section;
use crate::unbuilt;
use crate::yaml::{Entry, Node, Value};

/// A mapping whose keys a [`Section`] lists.
///
/// Opening it reports every key that is unknown, given twice, missing, or not built yet.
pub(crate) struct Fields<'a> {
    pub(crate) cursor: Cursor<'a>,
    section: &'static Section,
    entries: Vec<&'a Entry<'a>>,
    /// A bit for each key of the table that the reader asked for: a key that nobody reads would be accepted
    /// and then ignored.
    taken: Cell<u64>,
}

impl<'a> Fields<'a> {
    /// None when the value is no mapping.
    pub(crate) fn open(cursor: Cursor<'a>, section: &'static Section) -> Option<Self> {
        let entries = cursor.entries()?;
        let fields = Self {
            cursor,
            section,
            entries,
            taken: Cell::new(0),
        };
        let not_built = unbuilt::keys(section.name);
        let mut excused = false;
        for entry in &fields.entries {
            if not_built.contains(&entry.key.as_ref()) {
                cursor.report_key(entry, Fault::KeyNotBuilt);
                excused = true;
            } else if !section.keys.iter().any(|key| key.name == entry.key) {
                cursor.report_key(entry, fields.unknown(&entry.key));
            }
        }
        // A key that is not built may stand for one that is missing, as `concurrency` does for `rate`.
        if !excused {
            fields.report_missing();
        }
        Some(fields)
    }

    fn unknown(&self, key: &str) -> Fault {
        let allowed: Vec<_> = self.section.keys.iter().map(|key| key.name).collect();
        let wanted = self.cursor.wants_suggestions();
        let near = wanted
            .then(|| nearest(key, allowed.iter().copied()))
            .flatten()
            .map(str::to_owned);
        Fault::UnknownKey { near, allowed }
    }

    fn report_missing(&self) {
        for key in self
            .section
            .keys
            .iter()
            .filter(|key| key.required && !self.has(key.name))
        {
            self.cursor.report_missing(key.name, key.about);
        }
        let one_of = self.section.one_of;
        let given: Vec<_> = one_of
            .iter()
            .filter(|key| self.has(key))
            .map(|key| format!("`{key}`"))
            .collect();
        let allowed = || format!("exactly one of {}", one_of.join(", "));
        match given.len() {
            _ if one_of.is_empty() => {}
            0 => self.cursor.report_missing(one_of[0], allowed()),
            1 => {}
            _ => {
                self.cursor.refuse_as::<()>(given.join(" and "), allowed());
            }
        }
    }

    /// The names that a mapping holds, whatever else is wrong with it.
    pub(crate) fn names_in(&self, key: &str) -> Vec<&'a str> {
        match self.entry(key).map(|entry| &entry.value.value) {
            Some(Value::Map(entries)) => entries.iter().map(|entry| entry.key.as_ref()).collect(),
            _ => Vec::new(),
        }
    }

    /// The values of `name` in a list of mappings, whatever else is wrong with it.
    pub(crate) fn names_of_items(&self, key: &str) -> Vec<&'a str> {
        let Some(Value::List(items)) = self.entry(key).map(|entry| &entry.value.value) else {
            return Vec::new();
        };
        let name = |item: &'a Node<'a>| {
            let Value::Map(entries) = &item.value else {
                return None;
            };
            let entry = entries.iter().find(|entry| entry.key == "name")?;
            match &entry.value.value {
                Value::Scalar(_, name) => Some(name.as_ref()),
                _ => None,
            }
        };
        items.iter().filter_map(name).collect()
    }

    /// Passes over keys that another key rules out, which is reported elsewhere.
    pub(crate) fn ignore(&self, keys: &[&'static str]) {
        for key in keys {
            self.take(key);
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    fn entry(&self, key: &str) -> Option<&'a Entry<'a>> {
        self.entries.iter().copied().find(|entry| entry.key == key)
    }

    /// Reads a key that may be absent. The outer None means that it is there and wrong.
    #[expect(
        clippy::option_option,
        reason = "given and wrong, not given, given and right"
    )]
    pub(crate) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(Cursor<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.take(key);
        match self.entry(key) {
            Some(entry) => self.cursor.enter(entry, read).map(Some),
            None => Some(None),
        }
    }

    /// Reads a key that stands for `default` when it is absent.
    pub(crate) fn or<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(Cursor<'_>) -> Option<T>,
        default: T,
    ) -> Option<T> {
        Some(self.optional(key, read)?.unwrap_or(default))
    }

    /// Reads a key whose absence [`Fields::open`] has reported.
    pub(crate) fn required<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(Cursor<'_>) -> Option<T>,
    ) -> Option<T> {
        self.optional(key, read)?
    }

    /// Reports something about a key that shows only beside the others; at the section when the key is absent.
    pub(crate) fn refuse<T>(
        &self,
        key: &str,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Option<T> {
        match self.entry(key) {
            Some(entry) => self
                .cursor
                .enter(entry, |value| value.refuse_as(found, allowed)),
            None => self.cursor.refuse_as(found, allowed),
        }
    }

    fn take(&self, key: &'static str) {
        let bit = self.section.keys.iter().position(|known| known.name == key);
        debug_assert!(
            bit.is_some(),
            "{}.{key} is read but not in the table",
            self.section.name
        );
        self.taken
            .set(self.taken.get() | bit.map_or(0, |bit| 1 << bit));
    }
}

impl Drop for Fields<'_> {
    /// Asserts, in debug builds, that the reader asked for every key of the table.
    fn drop(&mut self) {
        if cfg!(debug_assertions) && !std::thread::panicking() {
            let unread: Vec<_> = (0..self.section.keys.len())
                .filter(|bit| self.taken.get() & (1 << bit) == 0)
                .map(|bit| self.section.keys[bit].name)
                .collect();
            assert!(
                unread.is_empty(),
                "{}: {unread:?} are in the table but never read",
                self.section.name
            );
        }
    }
}
