//! A folder that one service lives in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Uid, chown};
use tempfile::TempDir;

/// The folder, removed with everything in it.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("floodwall-")
                .tempdir()
                .expect("a temporary folder"),
        )
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a file there all at once, so that no reader sees half of it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (file, draft) = (self.join(name), self.join(&format!("{name}.new")));
        fs::write(&draft, text).expect("the folder takes files");
        fs::rename(&draft, &file).expect("a file may be renamed in its folder");
        file
    }

    /// A file's text so far; empty while there is no such file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read(self.join(name)).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Gives the folder and what is in it away, so that a process of another user may live there.
    pub(crate) fn give_to(&self, user: u32) {
        let inside = fs::read_dir(self.path()).expect("the folder can be listed");
        let inside = inside.map(|entry| entry.expect("an entry can be read").path());
        for path in inside.chain([self.path().to_owned()]) {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
            chown(&path, Some(user), Some(group)).expect("root may give anything away");
        }
    }

    /// Copies a program in, for a user who cannot reach where it was built.
    pub(crate) fn copy_in(&self, program: &Path) -> PathBuf {
        let copy = self.join("floodwall");
        if !copy.exists() {
            fs::copy(program, &copy).expect("the program can be copied");
        }
        copy
    }
}
