//! The access log: one JSON object a line, written by a thread of its own so that no request waits for a disk.

mod sink;
mod time;
mod writer;

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use floodwall_config as config;
use serde::Serialize;

use self::writer::Writer;
pub use self::{sink::Sink, time::timestamp};

/// One finished request.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// RFC 3339, in UTC, to the millisecond.
    pub time: String,
    pub client: Option<IpAddr>,
    pub peer: Option<IpAddr>,
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    /// Absent when the client left before there was one.
    pub status: Option<u16>,
    /// Body bytes to the client.
    pub bytes: u64,
    pub duration_ms: f64,
    pub upstream: Option<&'a str>,
    pub upstream_address: Option<String>,
    pub upstream_ms: Option<f64>,
    pub route: Option<&'a str>,
    /// The limit that refused, when one did.
    pub limit: Option<&'a str>,
    /// The measure of `protection` that was over its trigger, when the request was shed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shed_by: Option<&'a str>,
    pub verdict: Verdict,
    /// What was wrong, when the request was malformed or the upstream failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    pub generation: u64,
    pub request_id: &'a str,
    /// What the client's trace context calls its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
}

/// What Floodwall decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    #[default]
    Admitted,
    /// By a limit.
    Refused,
    /// By a gate.
    Gate,
    /// By overload protection.
    Shed,
    /// Its source is blocked.
    Blocked,
    /// It was no well-formed request.
    Malformed,
    /// No route matched.
    Unrouted,
    /// The upstream did not answer.
    Failed,
    /// The upstream was not asked: its breaker is open, or it has as many requests as it may.
    Unavailable,
}

impl Verdict {
    /// In the order in which they are declared.
    pub const ALL: [Self; 9] = [
        Self::Admitted,
        Self::Refused,
        Self::Gate,
        Self::Shed,
        Self::Blocked,
        Self::Malformed,
        Self::Unrouted,
        Self::Failed,
        Self::Unavailable,
    ];

    /// As the log has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::Gate => "gate",
            Self::Shed => "shed",
            Self::Blocked => "blocked",
            Self::Malformed => "malformed",
            Self::Unrouted => "unrouted",
            Self::Failed => "failed",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The way into the log.
#[derive(Debug)]
pub struct AccessLog {
    writer: Arc<Writer>,
    target: Mutex<config::AccessLog>,
}

impl AccessLog {
    /// Opens the log where the configuration wants it.
    ///
    /// # Errors
    /// As [`Sink::open`].
    pub fn open(target: &config::AccessLog) -> io::Result<Self> {
        Ok(Self {
            writer: Writer::start(Sink::open(target)?)?,
            target: Mutex::new(target.clone()),
        })
    }

    /// Whether anybody reads what is written: no line need be made up for nobody.
    pub fn is_on(&self) -> bool {
        self.writer.is_on()
    }

    /// Appends a line, or counts it as dropped.
    pub fn write(&self, entry: &Entry<'_>) {
        if self.is_on() {
            self.writer
                .append(|lines| serde_json::to_writer(lines, entry).is_ok());
        }
    }

    /// How many lines were lost because the target did not take them, or not as fast as they came.
    pub fn dropped(&self) -> u64 {
        self.writer.dropped()
    }

    /// Writes to another target from the next line on, or to the same one opened again.
    pub fn redirect(&self, target: &config::AccessLog, sink: Sink) {
        *self.target() = target.clone();
        self.writer.redirect(sink);
    }

    /// Opens the target again: a file that was moved away is made anew, as those who rotate logs expect.
    ///
    /// # Errors
    /// As [`Sink::open`]; lines go on to where they went.
    pub fn reopen(&self) -> io::Result<()> {
        let target = self.target();
        self.writer.redirect(Sink::open(&target)?);
        Ok(())
    }

    /// Writes what is pending and ends the writer. Later lines are lost.
    pub fn close(&self) {
        self.writer.close();
    }

    fn target(&self) -> MutexGuard<'_, config::AccessLog> {
        // Only whole values are stored under this lock.
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
