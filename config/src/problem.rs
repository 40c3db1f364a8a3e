//! What is wrong in a file: where, what was found, and what is allowed.

use std::fmt;
use std::path::{Path, PathBuf};

/// A line and a column, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// Absent when the file as a whole is meant.
    pub place: Option<Place>,
    /// The key's path, such as `routes[2].match.path_regex`; empty for the file as a whole.
    pub path: String,
    pub fault: Fault,
}

impl fmt::Display for Problem {
    /// Writes `FILE:LINE:COLUMN: PATH: FAULT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(place) = self.place {
            write!(f, "{place}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.fault)
    }
}

/// The ways to be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    #[error("found {found}; allowed: {allowed}")]
    Value { found: String, allowed: String },
    #[error("is missing; allowed: {allowed}")]
    Missing { allowed: String },
    #[error("unknown key{}; allowed: {}", did_you_mean(.near.as_deref()), allowed.join(", "))]
    UnknownKey {
        near: Option<String>,
        allowed: Vec<&'static str>,
    },
    #[error("found `{found}`, but no {kind} has this name{}; allowed: {allowed}", did_you_mean(.near.as_deref()))]
    UnknownName {
        kind: &'static str,
        found: String,
        near: Option<String>,
        allowed: String,
    },
    #[error("given twice, first at {first}; allowed: once")]
    Duplicate { first: Place },
    /// A key of the contract that this version does not know how to obey.
    #[error("is in the contract but not built yet; remove it")]
    KeyNotBuilt,
    /// A value of the contract that this version does not know how to obey.
    #[error("found {found}, which is in the contract but not built yet; allowed: {allowed}")]
    ValueNotBuilt { found: String, allowed: String },
    #[error("not YAML: {message}")]
    Syntax { message: String },
    #[error("cannot be read: {message}")]
    Unreadable { message: String },
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|name| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}

/// Everything that is wrong with a file, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    kept: Vec<Problem>,
    /// How many more there are than are kept.
    dropped: usize,
}

/// How many problems are printed before the rest is only counted.
const SHOWN: usize = 100;

impl Problems {
    /// Sorts the problems by their place; those of the configuration come before those of the files it names.
    pub(crate) fn new(mut kept: Vec<Problem>, dropped: usize, configuration: &Path) -> Self {
        let order = |problem: &Problem| problem.file != configuration;
        kept.sort_by(|a, b| {
            let (a, b) = ((order(a), &a.file, a.place), (order(b), &b.file, b.place));
            a.cmp(&b)
        });
        Self { kept, dropped }
    }

    /// What was found wrong after the file was read, in files that it names; nothing when nothing was.
    pub fn of(found: Vec<Problem>) -> Option<Self> {
        (!found.is_empty()).then_some(Self {
            kept: found,
            dropped: 0,
        })
    }

    /// The first problems that were found, at most 1000 of them.
    pub fn as_slice(&self) -> &[Problem] {
        &self.kept
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self {
            kept: vec![problem],
            dropped: 0,
        }
    }
}

impl fmt::Display for Problems {
    /// Writes a line for each problem; of more than 100 the rest is only counted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.kept.iter().take(SHOWN).enumerate() {
            let line_break = if at == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        match self.kept.len().saturating_sub(SHOWN) + self.dropped {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// The one of `names` that `word` was probably meant to be.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // A word of three letters is no slip of a word of five.
    let slips = (word.chars().count() / 3).clamp(1, 3);
    names
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize) -> Problem {
        let fault = Fault::Value {
            found: "1".into(),
            allowed: "2".into(),
        };
        Problem {
            file: "f.yaml".into(),
            place: Some(Place { line, column: 3 }),
            path: "a.b".into(),
            fault,
        }
    }

    #[test]
    fn a_problem_reads_as_compilers_write_them() {
        assert_eq!(
            problem(7).to_string(),
            "f.yaml:7:3: a.b: found 1; allowed: 2"
        );
    }

    #[test]
    fn many_problems_are_sorted_and_the_rest_counted() {
        let text = Problems::new(
            (1..=120).rev().map(problem).collect(),
            3,
            Path::new("f.yaml"),
        )
        .to_string();
        assert!(text.starts_with("f.yaml:1:3:"), "{text}");
        assert_eq!(text.lines().count(), SHOWN + 1);
        assert!(text.ends_with("\nand 23 more"), "{text}");
    }

    #[test]
    fn near_misses_are_found_and_strangers_are_not() {
        let names = ["listeners", "limits", "routes", "log"];
        assert_eq!(nearest("listners", names.into_iter()), Some("listeners"));
        assert_eq!(nearest("route", names.into_iter()), Some("routes"));
        assert_eq!(nearest("lgo", names.into_iter()), Some("log"));
        assert_eq!(nearest("backends", names.into_iter()), None);
    }
}
