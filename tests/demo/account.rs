//! What both layers have done, and what it comes to in the end.

use std::{fs, time::Duration};

use floodwall_tests::Floodwall;
use serde_json::{Value, json};

use crate::{players::Answer, story};

/// Both layers' counters at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    /// Requests that were finished, whatever their status.
    pub(crate) finished: u64,
    /// Connections that were turned away at accept, which is what a block is without the kernel.
    pub(crate) turned_away: u64,
    pub(crate) passed_packets: u64,
    pub(crate) dropped_packets: u64,
    /// What is left of the attacker's block; none while nobody is blocked.
    pub(crate) blocked_for: Option<f64>,
    /// Processor time of the service so far.
    pub(crate) cpu: Duration,
}

impl Layers {
    /// None when the service does not answer.
    pub(crate) fn of(floodwall: &Floodwall<'_>) -> Option<Self> {
        let (status, blocks) = (story::status(floodwall)?, story::blocks(floodwall)?);
        let sum = |list: &Value, wanted: &dyn Fn(&Value) -> bool, number: &str| -> u64 {
            let items = list.as_array().into_iter().flatten();
            items
                .filter(|item| wanted(item))
                .filter_map(|item| item[number].as_u64())
                .sum()
        };
        let packets = &status["prefilter"]["packets"];
        Some(Self {
            finished: sum(&status["requests"]["finished"], &|_| true, "count"),
            turned_away: status["connections"]["refused_blocked"]
                .as_u64()
                .unwrap_or(0),
            passed_packets: sum(packets, &|packet| packet["dropped"] == false, "packets"),
            dropped_packets: sum(packets, &|packet| packet["dropped"] == true, "packets"),
            blocked_for: blocks[0]["ends_in_seconds"].as_f64(),
            cpu: cpu(floodwall.pid()).unwrap_or_default(),
        })
    }
}

/// A process's own time and the kernel's for it, which `/proc` counts in hundredths of a second.
fn cpu(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may have anything in it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// What it came to.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) in_the_kernel: bool,
    /// The good client's answers before the attack, and during it.
    pub(crate) quiet: Vec<Answer>,
    pub(crate) attacked: Vec<Answer>,
    /// What the attacker got.
    pub(crate) attack: Vec<Answer>,
    pub(crate) until_blocked: Duration,
    /// Both layers when the attack ended.
    pub(crate) layers: Layers,
}

impl Account {
    pub(crate) fn json(&self) -> Value {
        let good = |answers: &[Answer]| {
            json!({
                "requests": answers.len(),
                "served": count(answers, Some(200)),
                "p50_ms": quantile(answers, 0.5),
                "p99_ms": quantile(answers, 0.99),
            })
        };
        json!({
            "in_the_kernel": self.in_the_kernel,
            "good_before": good(&self.quiet),
            "good_during": good(&self.attacked),
            "attack": {
                "requests": self.attack.len(),
                "admitted": count(&self.attack, Some(200)),
                "refused": count(&self.attack, Some(429)),
                "unanswered": count(&self.attack, None),
                "seconds_until_blocked": self.until_blocked.as_secs_f64(),
            },
            "dropped_packets": self.layers.dropped_packets,
            "turned_away": self.layers.turned_away,
        })
    }
}

/// How many answers had this status, or were none.
pub(crate) fn count(answers: &[Answer], status: Option<u16>) -> usize {
    let such = answers.iter().filter(|answer| answer.status == status);
    such.count()
}

/// The time in milliseconds that this share of the answers did not exceed; zero without any.
pub(crate) fn quantile(answers: &[Answer], share: f64) -> f64 {
    let mut times: Vec<f64> = answers
        .iter()
        .map(|answer| answer.took.as_secs_f64() * 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a short list"
    )]
    let at = (times.len() as f64 * share) as usize;
    times
        .get(at.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0.0)
}
