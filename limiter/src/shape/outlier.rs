//! Servers that do worse than their fellows are left out for a while (Envoy's outlier detection).

use super::window::Window;
use crate::{
    Nanos,
    sync::{AtomicU64, Mutex, Ordering::SeqCst, exchange},
};

/// When a server is left out, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// So many bad answers in a row. None: they are not counted.
    pub consecutive: Option<u32>,
    pub success_rate: Option<SuccessRate>,
    /// How often success rates are compared; and a server that was back for so long is left out for less again.
    pub interval: Nanos,
    /// The first time out. Each further one is longer by this.
    pub eject_for: Nanos,
    pub eject_at_most: Nanos,
    /// The part of the servers that may be out at one time, in parts per million; one always may, if there is
    /// another.
    pub most_share: u32,
}

/// When the share of good answers is too low, beside that of the other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRate {
    /// Rates are compared only among so many servers or more.
    pub min_servers: usize,
    /// A server counts that had so many answers in an interval or more.
    pub min_requests: u64,
    /// So many standard deviations below the mean are too low, in thousandths.
    pub deviations: u32,
}

/// What is known of one server. It outlives the rules that it is judged by.
#[derive(Debug)]
pub struct Server {
    in_a_row: AtomicU64,
    /// Until when it is left out; in the past when it is not.
    until: AtomicU64,
    /// How long the next time is, in first times: grows with each, and shrinks while it does well.
    times: AtomicU64,
    ejections: AtomicU64,
    answers: Window,
}

/// What is known of the servers together.
#[derive(Debug, Default)]
pub struct Outliers {
    /// Held only to eject, so that no more are ejected than may be.
    ejecting: Mutex<()>,
    next_comparison: AtomicU64,
}

/// What of a server's past decides how long its next time out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// The end of its last time out, which may be to come.
    pub until: Nanos,
    /// How many times out its last one was as long as.
    pub times: u64,
}

/// A server is left out from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejected {
    /// Its place among the servers.
    pub server: usize,
    pub span: Nanos,
    pub why: Why,
}

/// What a server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// So many bad answers in a row.
    InARow(u64),
    /// Its share of good answers was far below the mean; both in parts per million.
    SuccessRate { own: u32, least: u32 },
}

impl Server {
    /// A server that is not left out, whose answers are compared every `interval`.
    pub fn new(interval: Nanos) -> Self {
        Self {
            in_a_row: AtomicU64::new(0),
            until: AtomicU64::new(0),
            times: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            answers: Window::new(interval),
        }
    }

    /// The same server by an interval of another length: its answers are counted anew.
    #[must_use]
    pub fn succeed(&self, interval: Nanos) -> Self {
        let copy = |word: &AtomicU64| AtomicU64::new(word.load(SeqCst));
        Self {
            in_a_row: copy(&self.in_a_row),
            until: copy(&self.until),
            times: copy(&self.times),
            ejections: copy(&self.ejections),
            answers: Window::new(interval),
        }
    }

    /// The interval it was made for.
    pub fn interval(&self) -> Nanos {
        self.answers.span()
    }

    /// How long it is still left out; none when it is not.
    pub fn out_for(&self, now: Nanos) -> Option<Nanos> {
        let left = Nanos(self.until.load(SeqCst)).minus(now);
        (left > Nanos::ZERO).then_some(left)
    }

    /// What is to be remembered of it; none when it is not left out, and all of its times are forgiven.
    pub fn past(&self, interval: Nanos, now: Nanos) -> Option<Past> {
        let until = Nanos(self.until.load(SeqCst));
        let times = self.times.load(SeqCst);
        let matters = until > now || times > forgiven(until, interval, now);
        matters.then_some(Past { until, times })
    }

    /// How often it was left out.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(SeqCst)
    }

    fn eject(&self, rule: &Rule, now: Nanos) -> Nanos {
        let forgiven = forgiven(Nanos(self.until.load(SeqCst)), rule.interval, now);
        let times = self.times.load(SeqCst).saturating_sub(forgiven) + 1;
        let span = Nanos(rule.eject_for.0.saturating_mul(times)).min(rule.eject_at_most);
        self.times.store(times, SeqCst);
        self.in_a_row.store(0, SeqCst);
        self.ejections.fetch_add(1, SeqCst);
        self.until.store(now.plus(span).0, SeqCst);
        span
    }
}

/// How many times out are forgiven to a server that is back since `until`: one for each interval.
fn forgiven(until: Nanos, interval: Nanos, now: Nanos) -> u64 {
    now.minus(until).0 / interval.0.max(1)
}

impl Outliers {
    /// Has `servers[server]` go on with a past that was kept elsewhere, within the bounds of the rule. Tells whether it
    /// does: not when it has a past of its own, nor when as many are out as may be.
    pub fn resume<S: AsRef<Server>>(
        &self,
        servers: &[S],
        server: usize,
        past: Past,
        rule: &Rule,
        now: Nanos,
    ) -> bool {
        let _one_at_a_time = self.ejecting.lock();
        let this = servers[server].as_ref();
        if this.times.load(SeqCst) > 0 {
            return false;
        }
        let is_out = past.until > now;
        if is_out && out(servers, now) >= rule.may_be_out(servers.len()) {
            return false;
        }
        let until = past.until.min(now.plus(rule.eject_at_most));
        this.times.store(past.times, SeqCst);
        this.until.store(until.0, SeqCst);
        true
    }

    /// Counts an answer of `servers[server]`, and says whom it put out.
    pub fn answered<S: AsRef<Server>>(
        &self,
        servers: &[S],
        server: usize,
        bad: bool,
        rule: &Rule,
        now: Nanos,
    ) -> Vec<Ejected> {
        let mut ejected = Vec::new();
        let this = servers[server].as_ref();
        this.answers.add(now, bad);
        if bad {
            let in_a_row = this.in_a_row.fetch_add(1, SeqCst) + 1;
            if rule
                .consecutive
                .is_some_and(|most| in_a_row >= u64::from(most))
            {
                ejected.extend(self.eject(servers, server, Why::InARow(in_a_row), rule, now));
            }
        } else {
            this.in_a_row.store(0, SeqCst);
        }
        if let Some(success) = rule.success_rate
            && self.is_time_to_compare(rule, now)
        {
            for (server, why) in too_low(servers, success, now) {
                ejected.extend(self.eject(servers, server, why, rule, now));
            }
        }
        ejected
    }

    fn eject<S: AsRef<Server>>(
        &self,
        servers: &[S],
        server: usize,
        why: Why,
        rule: &Rule,
        now: Nanos,
    ) -> Option<Ejected> {
        let _one_at_a_time = self.ejecting.lock();
        let is_out = servers[server].as_ref().out_for(now).is_some();
        if is_out || out(servers, now) >= rule.may_be_out(servers.len()) {
            return None;
        }
        let span = servers[server].as_ref().eject(rule, now);
        Some(Ejected { server, span, why })
    }

    /// Whether an interval is over; one of those who ask at the same time is told so.
    fn is_time_to_compare(&self, rule: &Rule, now: Nanos) -> bool {
        let due = self.next_comparison.load(SeqCst);
        let first = due == 0;
        now.0 >= due && exchange(&self.next_comparison, due, now.plus(rule.interval).0) && !first
    }
}

/// How many of the servers are left out.
fn out<S: AsRef<Server>>(servers: &[S], now: Nanos) -> usize {
    let out = |server: &&S| server.as_ref().out_for(now).is_some();
    servers.iter().filter(out).count()
}

impl Rule {
    /// How many of so many servers may be out at one time.
    fn may_be_out(&self, servers: usize) -> usize {
        let share = servers as u128 * u128::from(self.most_share) / 1_000_000;
        // A share is less than the whole.
        let share = usize::try_from(share).unwrap_or(servers);
        share.max(usize::from(servers > 1))
    }
}

/// The servers whose share of good answers is too far below the mean.
fn too_low<S: AsRef<Server>>(servers: &[S], rule: SuccessRate, now: Nanos) -> Vec<(usize, Why)> {
    let rates: Vec<(usize, f64)> = servers
        .iter()
        .enumerate()
        .filter(|(_, server)| server.as_ref().out_for(now).is_none())
        .filter_map(|(index, server)| {
            let counts = server.as_ref().answers.counts(now);
            let enough = counts.all >= rule.min_requests.max(1);
            enough.then(|| {
                (
                    index,
                    part(counts.all.saturating_sub(counts.bad), counts.all),
                )
            })
        })
        .collect();
    if rates.len() < rule.min_servers.max(2) {
        return Vec::new();
    }
    let count = part(rates.len() as u64, 1);
    let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
    let variance = rates
        .iter()
        .map(|(_, rate)| (rate - mean).powi(2))
        .sum::<f64>()
        / count;
    let least = mean - variance.sqrt() * f64::from(rule.deviations) / 1000.0;
    rates
        .into_iter()
        .filter(|(_, rate)| *rate < least)
        .map(|(index, own)| {
            let (own, least) = (millionths(own), millionths(least));
            (index, Why::SuccessRate { own, least })
        })
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "of more than 2^53 answers the last digit does not matter"
)]
fn part(some: u64, all: u64) -> f64 {
    some as f64 / all as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between nothing and the whole"
)]
fn millionths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 1_000_000.0) as u32
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
