//! A value, the way that led to it, and where to report what is wrong with it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path as FilePath, PathBuf};

use super::first_places::FirstPlaces;
use crate::problem::{Fault, Place, Problem, Problems};
use crate::yaml::{Entry, Node, ScalarKind, Value};

/// The problems found so far.
#[derive(Debug)]
pub(crate) struct Report {
    file: PathBuf,
    problems: RefCell<Vec<Problem>>,
    /// How many were found after there were [`KEPT`].
    dropped: Cell<usize>,
}

/// Bounds what a file of a million wrong values costs.
const KEPT: usize = 1_000;
const WITH_SUGGESTION: usize = 100;

impl Report {
    pub(crate) fn new(file: &FilePath) -> Self {
        Self {
            file: file.into(),
            problems: RefCell::default(),
            dropped: Cell::default(),
        }
    }

    pub(crate) fn add(&self, place: Option<Place>, path: String, fault: Fault) {
        self.add_in(&self.file, place, path, fault);
    }

    fn add_in(&self, file: &FilePath, place: Option<Place>, path: String, fault: Fault) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < KEPT {
            problems.push(Problem {
                file: file.into(),
                place,
                path,
                fault,
            });
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    /// Whether suggestions would still be read: a file with more problems than this is no slip of the pen.
    pub(crate) fn wants_suggestions(&self) -> bool {
        self.problems.borrow().len() < WITH_SUGGESTION
    }

    /// Gives up the value when anything was reported.
    pub(crate) fn conclude<T>(self, value: Option<T>) -> Result<T, Problems> {
        let problems = self.problems.into_inner();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(Problems::new(problems, self.dropped.get(), &self.file)),
        }
    }
}

/// The way from the root to a value.
#[derive(Clone, Copy, Debug)]
enum Way<'a> {
    Root,
    Key(&'a Way<'a>, &'a str),
    Item(&'a Way<'a>, usize),
}

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => {
                let dot = if matches!(parent, Self::Root) {
                    ""
                } else {
                    "."
                };
                let plain = !key.is_empty() && !key.contains(['.', '[', ']', '"', ' ', '\n']);
                if plain {
                    write!(f, "{parent}{dot}{key}")
                } else {
                    write!(f, "{parent}{dot}{key:?}")
                }
            }
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A value of the file that is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    node: &'a Node<'a>,
    way: Way<'a>,
    report: &'a Report,
    /// Where a problem of the value is shown: for an empty value, its key.
    place: Place,
}

impl<'a> Cursor<'a> {
    pub(crate) fn root(node: &'a Node<'a>, report: &'a Report) -> Self {
        Self {
            node,
            way: Way::Root,
            report,
            place: node.place,
        }
    }

    /// Reads the value of `entry`, a key of this mapping.
    pub(crate) fn enter<T>(&self, entry: &Entry<'_>, read: impl FnOnce(Cursor<'_>) -> T) -> T {
        let empty = matches!(entry.value.value, Value::Scalar(ScalarKind::Nothing, _));
        let place = if empty {
            entry.place
        } else {
            entry.value.place
        };
        read(Cursor {
            node: &entry.value,
            way: Way::Key(&self.way, &entry.key),
            report: self.report,
            place,
        })
    }

    /// Reads every item of a list. None when it is no list, or when an item is wrong.
    pub(crate) fn items<T>(&self, mut read: impl FnMut(Cursor<'_>) -> Option<T>) -> Option<Vec<T>> {
        let Value::List(nodes) = &self.node.value else {
            return self.refuse("a list");
        };
        // All are read before any is given up, so that every problem is told.
        let items: Vec<Option<T>> = nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                let way = Way::Item(&self.way, index);
                read(Cursor {
                    node,
                    way,
                    report: self.report,
                    place: node.place,
                })
            })
            .collect();
        items.into_iter().collect()
    }

    /// Reads one item of a list. None when there is no such item.
    pub(crate) fn item<T>(
        &self,
        index: usize,
        read: impl FnOnce(Cursor<'_>) -> Option<T>,
    ) -> Option<T> {
        let Value::List(nodes) = &self.node.value else {
            return None;
        };
        let node = nodes.get(index)?;
        let way = Way::Item(&self.way, index);
        read(Cursor {
            node,
            way,
            report: self.report,
            place: node.place,
        })
    }

    /// Reads every entry of a mapping whose keys the operator chooses. None when it is no mapping, when an
    /// entry is wrong, or when a key is given twice.
    pub(crate) fn pairs<T>(
        &self,
        mut read: impl FnMut(&str, Cursor<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let entries = self.entries()?;
        let read_all: Vec<Option<T>> = entries
            .iter()
            .map(|entry| self.enter(entry, |value| read(&entry.key, value)))
            .collect();
        read_all.into_iter().collect()
    }

    /// The entries of a mapping, each key once; one that comes again is reported.
    pub(crate) fn entries(&self) -> Option<Vec<&'a Entry<'a>>> {
        let Value::Map(entries) = &self.node.value else {
            return self.refuse("a mapping");
        };
        let mut places = FirstPlaces::for_keys(entries.len());
        let mut once = Vec::with_capacity(entries.len());
        for entry in entries {
            match places.first(&entry.key, entry.place) {
                Some(first) => self.report_key(entry, Fault::Duplicate { first }),
                None => once.push(entry),
            }
        }
        Some(once)
    }

    /// Reports a fault of a key of this mapping, at the key.
    pub(crate) fn report_key(&self, entry: &Entry<'_>, fault: Fault) {
        let way = Way::Key(&self.way, &entry.key);
        self.report.add(Some(entry.place), way.to_string(), fault);
    }

    /// Reports a key that should be there.
    pub(crate) fn report_missing(&self, key: &str, allowed: impl Into<String>) {
        let way = Way::Key(&self.way, key);
        self.report.add(
            Some(self.place),
            way.to_string(),
            Fault::Missing {
                allowed: allowed.into(),
            },
        );
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    pub(crate) fn kind(&self) -> Option<ScalarKind> {
        match &self.node.value {
            Value::Scalar(kind, _) => Some(*kind),
            _ => None,
        }
    }

    /// The scalar's text as it is written, whatever YAML takes it for. None for collections and for nothing.
    pub(crate) fn written(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(ScalarKind::Nothing, _) => None,
            Value::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn wants_suggestions(&self) -> bool {
        self.report.wants_suggestions()
    }

    /// Reports that the value is not what is `allowed`.
    pub(crate) fn refuse<T>(&self, allowed: impl Into<String>) -> Option<T> {
        self.refuse_as(self.describe(), allowed)
    }

    /// Reports that the value is wrong in a way that `found` says better than the value itself.
    pub(crate) fn refuse_as<T>(
        &self,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Option<T> {
        self.fault(Fault::Value {
            found: found.into(),
            allowed: allowed.into(),
        })
    }

    /// Where the value stands: the configuration's file, the place in it, and the key's path.
    pub(crate) fn position(&self) -> (PathBuf, Place, String) {
        (self.report.file.clone(), self.place, self.way.to_string())
    }

    pub(crate) fn fault<T>(&self, fault: Fault) -> Option<T> {
        self.report
            .add(Some(self.place), self.way.to_string(), fault);
        None
    }

    /// Reports a fault of another file, which this value names.
    pub(crate) fn report_in(&self, file: &FilePath, place: Place, fault: Fault) {
        let path = self.way.to_string();
        self.report.add_in(file, Some(place), path, fault);
    }

    pub(crate) fn describe(&self) -> String {
        match &self.node.value {
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a mapping".into(),
            Value::Scalar(ScalarKind::Nothing, _) => "nothing".into(),
            Value::Scalar(ScalarKind::Integer(_) | ScalarKind::Float, text) => {
                format!("the number {text}")
            }
            Value::Scalar(ScalarKind::Bool(_), text) => text.to_string(),
            Value::Scalar(ScalarKind::Text, text) => format!("`{}`", shortened(text)),
        }
    }
}

/// Keeps a message to a line or so, whatever the value is.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 80;
    let printable = !text.contains(char::is_control);
    if text.len() <= MOST && printable {
        return Cow::Borrowed(text);
    }
    let dots = if text.chars().count() > MOST {
        "..."
    } else {
        ""
    };
    let head: String = text.chars().take(MOST).collect();
    Cow::Owned(format!("{}{dots}", head.escape_debug()))
}
