//! The access log: one JSON object a line, written by a thread of its own so that no request waits for a disk.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::IpAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use floodwall_config as config;
use serde::Serialize;

use crate::stats::Count;

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
}

/// What Floodwall decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    #[default]
    Admitted,
    /// By a limit.
    Refused,
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

/// The way into the log. Lines that the writer cannot keep up with are dropped and counted.
#[derive(Clone, Debug)]
pub struct AccessLog(Option<Arc<Buffer>>);

#[derive(Debug)]
struct Buffer {
    lines: Mutex<Pending>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    closed: bool,
    /// The writer has written its last line.
    ended: bool,
}

/// Lines wait for the writer up to this.
const MOST_PENDING: usize = 4 << 20;

/// A line is on its way to the file within this.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// The last lines are written within this, or lost.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

impl AccessLog {
    /// Opens the log where the configuration wants it.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn open(target: &config::AccessLog) -> io::Result<Self> {
        let sink: Box<dyn Write + Send> = match target {
            config::AccessLog::Off => return Ok(Self(None)),
            config::AccessLog::Stdout => Box::new(io::stdout()),
            config::AccessLog::Stderr => Box::new(io::stderr()),
            config::AccessLog::File(path) => {
                Box::new(OpenOptions::new().create(true).append(true).open(path)?)
            }
        };
        let buffer = Arc::new(Buffer {
            lines: Mutex::default(),
            wake: Condvar::new(),
        });
        let writer = Arc::clone(&buffer);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.drain(sink))?;
        Ok(Self(Some(buffer)))
    }

    /// Whether anybody reads what is written: no line need be made up for nobody.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Appends a line, or counts it as dropped.
    pub fn write(&self, entry: &Entry<'_>, dropped: &Count) {
        let Some(buffer) = &self.0 else { return };
        let mut pending = buffer.lock();
        if pending.bytes.len() >= MOST_PENDING {
            dropped.one();
            return;
        }
        let before = pending.bytes.len();
        if serde_json::to_writer(&mut pending.bytes, entry).is_err() {
            pending.bytes.truncate(before);
            dropped.one();
            return;
        }
        pending.bytes.push(b'\n');
    }

    /// Writes what is pending and ends the writer. Later lines are lost.
    pub fn close(&self) {
        let Some(buffer) = &self.0 else { return };
        buffer.lock().closed = true;
        buffer.wake.notify_all();
        // A sink that takes nothing more must not keep the process from ending.
        let _ = buffer
            .wake
            .wait_timeout_while(buffer.lock(), CLOSE_WITHIN, |pending| !pending.ended);
    }
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain(&self, mut sink: Box<dyn Write + Send>) {
        let mut writing = Vec::new();
        loop {
            let (mut pending, _) = self
                .wake
                .wait_timeout_while(self.lock(), FLUSH_AFTER, |pending| !pending.closed)
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut pending.bytes, &mut writing);
            let closed = pending.closed;
            drop(pending);
            // A full disk or a closed pipe must not stop the service; the next lines may find it mended.
            let _ = sink.write_all(&writing).and_then(|()| sink.flush());
            writing.clear();
            if closed {
                self.lock().ended = true;
                self.wake.notify_all();
                return;
            }
        }
    }
}

/// The present as RFC 3339 in UTC, to the millisecond.
pub fn timestamp(now: SystemTime) -> String {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_millis()
    )
}

/// Days since 1970 as a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_right_around_leap_days() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(
                timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
                text
            );
        }
    }

    #[test]
    fn a_closed_log_has_written_everything() {
        let folder = std::env::temp_dir().join(format!("floodwall-log-{}", std::process::id()));
        let path = folder.join("access.log");
        std::fs::create_dir_all(&folder).unwrap();
        let log = AccessLog::open(&config::AccessLog::File(path.clone())).unwrap();
        let dropped = Count::default();
        for _ in 0..1000 {
            log.write(&entry(), &dropped);
        }
        log.close();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((text.lines().count(), dropped.get()), (1000, 0));
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(line["verdict"], "admitted");
        assert_eq!(line["client"], "192.0.2.1");
    }

    fn entry() -> Entry<'static> {
        Entry {
            time: timestamp(SystemTime::UNIX_EPOCH),
            client: Some(IpAddr::from([192, 0, 2, 1])),
            peer: Some(IpAddr::from([192, 0, 2, 1])),
            method: "GET",
            host: "example.org",
            path: "/\"quoted\"",
            status: Some(200),
            bytes: 3,
            duration_ms: 0.5,
            upstream: None,
            upstream_address: None,
            upstream_ms: None,
            route: None,
            limit: None,
            shed_by: None,
            verdict: Verdict::Admitted,
            error: None,
            generation: 1,
            request_id: "1",
        }
    }
}
