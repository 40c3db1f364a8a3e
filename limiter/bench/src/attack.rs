//! One attack on every contender: a million keys a second against one limit of two a minute for each.
//!
//! The attacker owns a million keys and goes through them again and again, so that each comes back long before
//! its debt is paid: whoever forgets a key lets it in afresh. Beside it a thousand innocents send one request each,
//! half of what they may: whoever mixes keys up refuses them. Each contender runs in a process of its own, so that
//! its memory is its own.

use std::{
    num::NonZeroU32,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret, Source,
};
use governor::RateLimiter;
use pingora_limits::rate::Rate;
use sentinel_core::{EntryBuilder, hotspot};

/// The word by which the bench calls itself.
pub const CHILD: &str = "attack-alone";

const KEYS: u32 = 1 << 20;
const PASSES: u32 = 4;
const INNOCENTS: u32 = 1_000;
/// Requests of each key: so many at once, and as many each minute.
const ALLOWED: u32 = 2;
const PERIOD: Duration = Duration::from_secs(60);
/// A pass through all keys takes this long at the least.
const PASS: Duration = Duration::from_secs(1);

const CONTENDERS: [&str; 8] = [
    "floodwall-256k",
    "floodwall-512k",
    "floodwall-1M",
    "floodwall-2M",
    "floodwall-4M",
    "governor",
    "pingora-limits",
    "sentinel-core",
];

/// Runs all of them, one after the other.
pub fn all() {
    for contender in CONTENDERS {
        let myself = std::env::current_exe().expect("a program knows where it is");
        let status = Command::new(myself).args([CHILD, contender]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{contender} failed"
        );
    }
}

/// Attacks one contender in this process, and prints what came of it.
pub fn alone(contender: &str) {
    let before = resident();
    let mut limiter = limiter(contender);
    let (mut admitted, mut refused, mut innocents) = (0_u64, 0_u64, 0_u32);
    let begin = Instant::now();
    for pass in 0..PASSES {
        let start = Instant::now();
        for key in 0..KEYS {
            if limiter(key) {
                admitted += 1;
            }
            // A quarter of the innocents in each pass, in between.
            let every = KEYS / (INNOCENTS / PASSES);
            if key % every == every - 1 && innocents < INNOCENTS {
                let innocent = u32::MAX - innocents;
                refused += u64::from(!limiter(innocent));
                innocents += 1;
            }
            if key % 1024 == 0 {
                pace(start, f64::from(key) / f64::from(KEYS));
            }
        }
        pace(start, 1.0);
        let _ = pass;
    }
    let took = begin.elapsed();
    let refill = took.as_secs_f64() / PERIOD.as_secs_f64();
    let allowed = f64::from(KEYS) * f64::from(ALLOWED) * (1.0 + refill);
    let sent = f64::from(KEYS) * f64::from(PASSES);
    println!(
        "limiter/attack   {contender:<15} {:4.2} M keys/s  admitted/allowed={:.3}  innocents refused={:.1}%  memory={:.0} bytes a key",
        sent / took.as_secs_f64() / 1e6,
        count(admitted) / allowed.min(sent),
        100.0 * count(refused) / f64::from(innocents),
        count(resident().saturating_sub(before)) / f64::from(KEYS),
    );
}

/// Waits until it is time for this part of the pass.
fn pace(start: Instant, part: f64) {
    let due = PASS.mul_f64(part);
    if let Some(early) = due.checked_sub(start.elapsed()) {
        std::thread::sleep(early);
    }
}

#[expect(clippy::cast_precision_loss, reason = "millions")]
fn count(number: u64) -> f64 {
    number as f64
}

/// A decision for each key, by the limiter of this name, each as its documentation shows it.
fn limiter(name: &str) -> Box<dyn FnMut(u32) -> bool> {
    match name {
        "governor" => {
            let burst = NonZeroU32::new(ALLOWED).expect("it is two");
            let limiter = RateLimiter::keyed(governor::Quota::per_minute(burst));
            Box::new(move |key| limiter.check_key(&key).is_ok())
        }
        "pingora-limits" => {
            let rate = Rate::new(PERIOD);
            Box::new(move |key| rate.observe(&key, 1) <= ALLOWED as isize)
        }
        "sentinel-core" => {
            hotspot::load_rules(vec![Arc::new(hotspot::Rule {
                resource: "attacked".to_owned(),
                metric_type: hotspot::MetricType::QPS,
                threshold: u64::from(ALLOWED),
                duration_in_sec: PERIOD.as_secs(),
                params_max_capacity: KEYS as usize,
                ..Default::default()
            })]);
            Box::new(|key| {
                let entry =
                    EntryBuilder::new("attacked".to_owned()).with_args(Some(vec![key.to_string()]));
                entry.build().map(|entry| entry.exit()).is_ok()
            })
        }
        floodwall => {
            let cells = floodwall.trim_start_matches("floodwall-");
            let shift = if cells.ends_with('M') { 20 } else { 10 };
            let number = cells.trim_end_matches(['k', 'M']);
            let sources = number.parse::<u64>().expect("a number of cells") << shift;
            let secret = Secret { k0: 1, k1: 2 };
            let table = FlowTable::own(sources, secret);
            let limit = LimitId::new(secret, LimitKind::Request, "attacked");
            let quota = Quota::new(u64::from(ALLOWED), Nanos::from(PERIOD), u64::from(ALLOWED));
            let start = Instant::now();
            Box::new(move |key| {
                let key = KeyHash::of_source(secret, Source::v4(key, 32));
                let now = Nanos::SECOND.plus(start.elapsed().into());
                table.charge(FlowId::new(key, limit), quota, now, 1).is_ok()
            })
        }
    }
}

/// Bytes of memory that this process has now.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
