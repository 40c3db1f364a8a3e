//! `log`: what is written where.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::read::{Cursor, Fields, choice, text};
use crate::section::{Key, Section, Shape, TEXT};

/// The access log and the service's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub access: AccessLog,
    /// The least severe message of the service's own log, which goes to standard error.
    pub level: Level,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    Stdout,
    Stderr,
    Off,
    /// Appended to; relative paths are already joined to the file's folder.
    File(PathBuf),
}

impl fmt::Display for AccessLog {
    /// Writes the target as the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::Off => f.write_str("off"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// How severe a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

pub(crate) static SECTION: Section = Section {
    name: "log",
    keys: &[
        Key::new(
            "access",
            TEXT,
            "stdout, stderr, off or a path with a / in it; default stdout",
        ),
        Key::new(
            "level",
            Shape::Choice(LEVELS),
            "of the service's own log; default info",
        ),
    ],
    one_of: &[],
};

const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

impl Default for Log {
    fn default() -> Self {
        Self {
            access: AccessLog::Stdout,
            level: Level::Info,
        }
    }
}

impl Log {
    pub(crate) fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let access = fields.or(
            "access",
            |value| AccessLog::read(value, folder),
            AccessLog::Stdout,
        );
        let levels = choice(
            LEVELS,
            &[
                Level::Error,
                Level::Warn,
                Level::Info,
                Level::Debug,
                Level::Trace,
            ],
        );
        let level = fields.or("level", levels, Level::Info);
        Some(Self {
            access: access?,
            level: level?,
        })
    }
}

impl AccessLog {
    fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        match text(value)? {
            "stdout" => Some(Self::Stdout),
            "stderr" => Some(Self::Stderr),
            "off" => Some(Self::Off),
            // A path needs a slash, so that a misspelt word does not become a file.
            path if path.contains('/') => Some(Self::File(folder.join(path))),
            _ => value.refuse("stdout, stderr, off, or a path with a / in it such as ./access.log"),
        }
    }
}
