//! Files that the configuration names, and that somebody else reads.

use std::path::{Path, PathBuf};

use crate::problem::{Fault, Place, Problem};
use crate::read::{Cursor, text};

/// A file, with the place where it is named, so that whatever is wrong with it can be told there.
#[derive(Clone, Debug)]
pub struct NamedFile {
    /// Relative paths are already joined to the configuration's folder.
    pub path: PathBuf,
    configuration: PathBuf,
    place: Place,
    key: String,
}

impl NamedFile {
    /// The file at `path`, which the `configuration` names at `place`, as the value of `key`.
    pub fn new(path: PathBuf, configuration: PathBuf, place: Place, key: String) -> Self {
        Self {
            path,
            configuration,
            place,
            key,
        }
    }

    /// Reads a path.
    pub(crate) fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let path = folder.join(text(value)?);
        let (configuration, place, key) = value.position();
        Some(Self::new(path, configuration, place, key))
    }

    /// What is wrong with the file: `found` goes on after its name, as in "which has no certificate".
    pub fn problem(&self, found: &str, allowed: impl Into<String>) -> Box<Problem> {
        Box::new(Problem {
            file: self.configuration.clone(),
            place: Some(self.place),
            path: self.key.clone(),
            fault: Fault::Value {
                found: format!("{}, {found}", self.path.display()),
                allowed: allowed.into(),
            },
        })
    }
}

/// Two that name the same file mean the same, wherever they do.
impl PartialEq for NamedFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for NamedFile {}
