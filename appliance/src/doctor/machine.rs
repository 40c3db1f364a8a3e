//! What the kernel tells in files: `/proc` and `/sys`, or a folder that stands for them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The host's files below some root.
#[derive(Clone, Debug)]
pub(super) struct Machine(PathBuf);

impl Machine {
    pub(super) fn this() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A host that is a folder.
    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// A path of the host, which is written without the `/` at its beginning.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// A file's text without the white space around it; none when it cannot be read.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = fs::read_to_string(self.path(path)).ok()?;
        Some(text.trim().to_owned())
    }

    /// A file that is one number.
    pub(super) fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// The value behind a name and a colon, as in `/proc/self/status`.
    pub(super) fn field(&self, path: impl AsRef<Path>, name: &str) -> Option<String> {
        let text = self.text(path)?;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    }
}

/// A host for one test: a folder with these files.
#[cfg(test)]
pub(super) fn fake(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let machine = Machine::at(folder.path());
    (folder, machine)
}
