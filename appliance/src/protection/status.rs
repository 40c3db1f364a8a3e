//! What overload protection says of itself.

use floodwall_config::{Measure, Priority, Strategy};
use floodwall_limiter::Nanos;
use serde::{Deserialize, Serialize};

use super::{Protection, Watched, level};
use crate::host::Host;

/// Overload protection at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProtectionStatus {
    /// Requests that were let in and are being served.
    pub in_flight: u64,
    /// What the machine was seen to do.
    pub capacity: CapacityStatus,
    pub measures: Vec<MeasureStatus>,
}

/// What `bbr` knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityStatus {
    pub completed_per_second: u64,
    pub least_response_seconds: f64,
    /// The product of both: more requests than that at once only wait.
    pub concurrency: u64,
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureStatus {
    /// Its key in the file.
    pub measure: String,
    /// strict or bbr.
    pub strategy: String,
    /// What `value` and `trigger` count.
    pub unit: Unit,
    /// Where it stands; absent where this machine does not tell.
    pub value: Option<f64>,
    /// The highest value at which nothing of priority normal is shed.
    pub trigger: f64,
    /// By priority.
    pub priorities: Vec<PriorityStatus>,
}

/// What a measure counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// From 0 to 1.
    Share,
    /// The load average of one minute for each core.
    Load,
    Requests,
    /// Requests of the burst that time has not given back yet.
    Burst,
    Seconds,
}

/// What a measure does with requests of one priority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorityStatus {
    pub priority: String,
    /// Whether the next one would be shed.
    pub sheds: bool,
    /// How many were.
    pub shed: u64,
}

/// A priority as the file writes it.
pub fn word(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
        Priority::Critical => "critical",
    }
}

impl ProtectionStatus {
    pub fn of(host: &Host, protection: &Protection) -> Self {
        let now = host.now();
        let capacity = host.traffic.window.capacity(now);
        Self {
            in_flight: host.traffic.in_flight.now(),
            capacity: CapacityStatus {
                completed_per_second: capacity.completed_per_second,
                least_response_seconds: seconds(capacity.least_response_time),
                concurrency: capacity.concurrency(),
            },
            measures: measures(host, protection, now),
        }
    }
}

fn measures(host: &Host, protection: &Protection, now: Nanos) -> Vec<MeasureStatus> {
    let (in_flight, at_work) = (host.traffic.in_flight.now(), host.traffic.at_work());
    let watched = protection.watched.iter().map(|watched| {
        let sheds = |priority| watched.sheds(host, priority, at_work, now);
        of_watched(host, watched, watched.value(host, now), &sheds)
    });
    let full = protection.most_in_flight.map(|most| MeasureStatus {
        measure: "in_flight".to_owned(),
        strategy: strategy(Strategy::Strict),
        unit: Unit::Requests,
        value: Some(float(in_flight)),
        trigger: most[Priority::Normal as usize].map_or(0.0, float),
        priorities: priorities(host, "in_flight", &|priority| {
            protection.is_full(priority, in_flight)
        }),
    });
    let rate = protection.rate.as_ref().map(|rate| MeasureStatus {
        measure: "rate".to_owned(),
        strategy: strategy(Strategy::Strict),
        unit: Unit::Burst,
        value: Some(float(rate.used(host, now))),
        trigger: float(rate.full.burst()),
        priorities: priorities(host, "rate", &|priority| {
            protection.is_too_fast(host, priority, now)
        }),
    });
    watched.chain(full).chain(rate).collect()
}

fn of_watched(
    host: &Host,
    watched: &Watched,
    value: Option<u64>,
    sheds: &dyn Fn(Priority) -> bool,
) -> MeasureStatus {
    let (unit, scale) = match watched.measure {
        Measure::Load(_) => (Unit::Load, 1e3),
        Measure::ResponseTime(_) => (Unit::Seconds, 1e9),
        _ => (Unit::Share, 1e6),
    };
    let name = watched.measure.name();
    MeasureStatus {
        measure: name.to_owned(),
        strategy: strategy(watched.strategy),
        unit,
        value: value.map(|value| float(value) / scale),
        trigger: float(level(&watched.measure).0) / scale,
        priorities: priorities(host, name, sheds),
    }
}

fn priorities(host: &Host, measure: &str, sheds: &dyn Fn(Priority) -> bool) -> Vec<PriorityStatus> {
    let of = |priority| PriorityStatus {
        priority: word(priority).to_owned(),
        sheds: sheds(priority),
        shed: host.traffic.shed(measure, priority),
    };
    Priority::ALL.map(of).into()
}

fn strategy(strategy: Strategy) -> String {
    match strategy {
        Strategy::Strict => "strict",
        Strategy::Bbr => "bbr",
    }
    .to_owned()
}

fn seconds(span: Nanos) -> f64 {
    std::time::Duration::from(span).as_secs_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "what people read has fewer digits"
)]
fn float(value: u64) -> f64 {
    value as f64
}
