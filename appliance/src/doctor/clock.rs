//! The wall clock, by which gates open, tokens grow old and certificates end.

use std::time::{Duration, SystemTime};

use floodwall_config::units::parse_moment;
use floodwall_xdp::WallClock;

use super::{Finding, Patient, Verdict};
use crate::status::Status;

const AREA: &str = "clock";

/// Two clocks that are read one after the other differ by less.
const NOTICEABLE: Duration = Duration::from_secs(5);

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = vec![kept_right(floodwall_xdp::wall_clock())];
    findings.extend(
        patient
            .running
            .and_then(|status| jumped(status, SystemTime::now())),
    );
    findings
}

fn kept_right(clock: Option<WallClock>) -> Finding {
    match clock {
        None => Finding::ok(AREA, "time service", "the kernel does not say").but(
            Verdict::Unseen,
            MATTERS,
            "timedatectl status",
        ),
        Some(WallClock {
            synchronised: true,
            most_error,
        }) => Finding::ok(
            AREA,
            "time service",
            format!(
                "keeps the clock right, within {} ms",
                most_error.as_millis()
            ),
        ),
        Some(_) => Finding::ok(AREA, "time service", "nobody keeps the clock right").but(
            Verdict::Warning,
            MATTERS,
            "timedatectl set-ntp true",
        ),
    }
}

const MATTERS: &str =
    "gates open and close, and certificates end, by this clock; hosts of one service should agree";

/// Whether the wall clock went otherwise than time did since the service began.
fn jumped(status: &Status, now: SystemTime) -> Option<Finding> {
    let began = parse_moment(&status.since).ok()?.on_the_wall_clock();
    let by_the_wall = now.duration_since(began).unwrap_or_default();
    let really = Duration::try_from_secs_f64(status.uptime_seconds).ok()?;
    let jump = by_the_wall.abs_diff(really);
    if jump < NOTICEABLE {
        return Some(Finding::ok(AREA, "jump", "none since the service began"));
    }
    let direction = if by_the_wall > really {
        "forward"
    } else {
        "back"
    };
    let found = format!(
        "set {direction} by {} s since the service began",
        jump.as_secs()
    );
    Some(Finding::ok(AREA, "jump", found).but(
        Verdict::Warning,
        "gates and certificates were judged by another time before; limits and blocks do not use this clock",
        "look at the gates: floodwall status",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_keeps_is_a_warning() {
        let clock = |synchronised| {
            Some(WallClock {
                synchronised,
                most_error: Duration::from_millis(16),
            })
        };
        assert_eq!(kept_right(clock(true)).verdict, Verdict::Ok);
        assert_eq!(kept_right(clock(false)).verdict, Verdict::Warning);
        assert_eq!(kept_right(None).verdict, Verdict::Unseen);
    }
}
