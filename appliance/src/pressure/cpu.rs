//! Processor time: what a group used of its quota, or what the host used of all there is.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use super::file::{Source, field};

/// All that is read to know how busy the processor is.
#[derive(Debug)]
pub(super) struct Cpu {
    groups: Vec<Group>,
    host: Option<Host>,
    smoothed: Option<f64>,
    at: Option<Instant>,
}

/// Seconds after which two thirds of a change are seen; 95 % after three times as long.
const TIME_CONSTANT: f64 = 0.5;

const MILLION: f64 = 1e6;

impl Cpu {
    pub(super) fn open(root: &Path, groups: &[PathBuf]) -> Self {
        Self {
            groups: groups.iter().filter_map(|path| Group::open(path)).collect(),
            host: Source::open(&root.join("proc/stat")).map(|stat| Host { stat, last: None }),
            smoothed: None,
            at: None,
        }
    }

    /// The part of the processor time that was used, in millionths; none before there is a span to measure.
    pub(super) fn sample(&mut self, now: Instant) -> Option<u64> {
        let elapsed = self.at.map_or(0.0, |at| (now - at).as_secs_f64());
        self.at = Some(now);
        // All are read each time, so that each of them knows where it stood.
        let tightest = self
            .groups
            .iter_mut()
            .filter_map(|group| group.sample(elapsed))
            .reduce(f64::max);
        let host = self.host.as_mut().and_then(Host::sample);
        let limited = self.groups.iter().any(|group| group.limited);
        if let Some(used) = if limited { tightest } else { host } {
            let weight = 1.0 - (-elapsed / TIME_CONSTANT).exp();
            let before = self.smoothed.unwrap_or(used);
            self.smoothed = Some(before + (used - before) * weight);
        }
        self.smoothed.map(millionths)
    }
}

/// A group that may have a quota.
#[derive(Debug)]
struct Group {
    stat: Source,
    quota: Source,
    last: Option<u64>,
    limited: bool,
}

impl Group {
    fn open(path: &Path) -> Option<Self> {
        Some(Self {
            stat: Source::open(&path.join("cpu.stat"))?,
            quota: Source::open(&path.join("cpu.max"))?,
            last: None,
            limited: false,
        })
    }

    /// What was used of the quota since the last time; none without a quota.
    fn sample(&mut self, elapsed: f64) -> Option<f64> {
        let used = self.stat.read(|text| field(text, "usage_usec"))?;
        let since = self.last.replace(used);
        // A quota may come and go while the process runs.
        let cores = self.quota.read(cores);
        self.limited = cores.is_some();
        let spent = seconds(used.saturating_sub(since?));
        let allowed = cores? * elapsed;
        (allowed > 0.0).then(|| spent / allowed)
    }
}

/// How many cores `cpu.max` allows: `QUOTA PERIOD` in microseconds, and none for `max PERIOD`.
fn cores(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    let quota: f64 = words.next()?.parse().ok()?;
    let period: f64 = words.next()?.parse().ok()?;
    (period > 0.0).then(|| quota / period)
}

#[derive(Debug)]
struct Host {
    stat: Source,
    last: Option<Ticks>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Host {
    /// What was used since the last time; none when no tick has passed.
    fn sample(&mut self) -> Option<f64> {
        let ticks = self.stat.read(Ticks::of)?;
        let since = self.last.replace(ticks)?;
        let all = ticks.all.saturating_sub(since.all);
        let busy = ticks.busy.saturating_sub(since.busy);
        (all > 0).then(|| seconds(busy) / seconds(all))
    }
}

impl Ticks {
    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. What guests
    /// use stands a second time behind them.
    fn of(text: &str) -> Option<Self> {
        let ticks = text.lines().next()?.strip_prefix("cpu ")?;
        let ticks = ticks.split_whitespace().take(8);
        let ticks: Vec<u64> = ticks.map(str::parse).collect::<Result<_, _>>().ok()?;
        let all = ticks.iter().sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Some(Self {
            busy: all - idle,
            all,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 microseconds are 285 years"
)]
fn seconds(micros: u64) -> f64 {
    micros as f64 / MILLION
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares are positive, and `as` saturates"
)]
fn millionths(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * MILLION).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_number_of_cores_or_none() {
        assert_eq!(cores("50000 100000\n"), Some(0.5));
        assert_eq!(cores("400000 100000\n"), Some(4.0));
        assert_eq!(cores("max 100000\n"), None);
        assert_eq!(cores("1 0\n"), None);
    }

    #[test]
    fn waiting_for_a_disk_is_idle_and_guests_count_once() {
        let text = "cpu  10 1 5 70 4 0 6 4 10 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(Ticks::of(text), Some(Ticks { busy: 26, all: 100 }));
        assert_eq!(Ticks::of("intr 1\n"), None);
    }
}
