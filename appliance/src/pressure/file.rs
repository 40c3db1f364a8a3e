//! A small file of the kernel's that is read again and again: opened once, read from its start each time.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// What is looked for stands in the first bytes of every file that is read here.
const MOST: usize = 4096;

#[derive(Debug)]
pub(super) struct Source(File);

impl Source {
    /// None when there is no such file, or it cannot be read: then the kernel does not offer this number.
    pub(super) fn open(path: &Path) -> Option<Self> {
        File::open(path).ok().map(Self)
    }

    /// Gives the text to `parse`. None when the kernel does not answer: a group that is gone, or stall
    /// information that is switched off.
    pub(super) fn read<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let mut bytes = [0; MOST];
        let length = self.0.read_at(&mut bytes, 0).ok()?;
        // A file that is longer may be cut within a character; the kernel writes ASCII.
        parse(str::from_utf8(&bytes[..length]).ok()?)
    }
}

/// The number behind `name` in lines of `NAME NUMBER`, with or without a colon.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(|c: char| c.is_whitespace()))
        .find(|(found, _)| found.strip_suffix(':').unwrap_or(found) == name)
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
}
