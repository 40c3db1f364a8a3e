//! Configuration files: a text with words to fill in, or one of the examples with a few lines changed.

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

/// The text of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yaml(String);

impl Yaml {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// One of the contract's examples, as it stands.
    pub fn example(name: &str) -> Self {
        let path = Self::examples().join(name);
        Self(
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        )
    }

    /// The folder of the examples.
    pub fn examples() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
    }

    /// Puts `new` in the place of every `old`, of which there must be one.
    #[must_use]
    pub fn with(self, old: &str, new: impl Display) -> Self {
        assert!(self.0.contains(old), "{old:?} is not in\n{}", self.0);
        Self(self.0.replace(old, &new.to_string()))
    }

    /// Takes out every line that has `part` in it, of which there must be one.
    #[must_use]
    pub fn without_line(self, part: &str) -> Self {
        assert!(self.0.contains(part), "{part:?} is not in\n{}", self.0);
        let lines = self.0.split_inclusive('\n');
        Self(lines.filter(|line| !line.contains(part)).collect())
    }

    /// Takes out a top-level section.
    #[must_use]
    pub fn without_section(self, name: &str) -> Self {
        let head = format!("{name}:");
        let mut inside = false;
        let kept = self.0.split_inclusive('\n').filter(|line| {
            if !line.starts_with([' ', '#']) {
                inside = line.starts_with(&head);
            }
            !inside
        });
        let text: String = kept.collect();
        assert_ne!(text, self.0, "there is no section {name}");
        Self(text)
    }

    /// Adds text at the end.
    #[must_use]
    pub fn and(self, more: &str) -> Self {
        Self(self.0 + more)
    }

    /// The number of the line, and of the column, where `part` begins; counted from 1.
    pub fn place_of(&self, part: &str) -> (usize, usize) {
        let at = self
            .0
            .find(part)
            .unwrap_or_else(|| panic!("{part:?} is not in\n{}", self.0));
        let before = &self.0[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}
