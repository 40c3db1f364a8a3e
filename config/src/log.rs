//! `log`: what is written where.

use std::path::PathBuf;

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

/// How severe a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}
