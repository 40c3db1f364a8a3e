//! Whether servers are well: what checks found out, and the checks.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use floodwall_config::{Check, Health};
use floodwall_limiter::Nanos;
use http::{HeaderValue, Request, header};

use super::{Server, Upstream, chance};
use crate::{
    fetch::{self, BodyBound, Bounds, FetchError},
    stats::Count,
};

/// What is known of one server's health. One thread checks and writes; everybody reads.
#[derive(Debug)]
pub struct Vitals {
    well: AtomicBool,
    /// When it became what it is; zero for one that was always well.
    since: AtomicU64,
    /// Checks in a row that say otherwise.
    against: AtomicU32,
    next_check: AtomicU64,
    being_checked: AtomicBool,
    pub checks: Count,
    pub failures: Count,
}

/// A server is well until its checks fail: nobody is kept waiting for the first of them.
impl Default for Vitals {
    fn default() -> Self {
        Self {
            well: AtomicBool::new(true),
            since: AtomicU64::new(0),
            against: AtomicU32::new(0),
            next_check: AtomicU64::new(0),
            being_checked: AtomicBool::new(false),
            checks: Count::default(),
            failures: Count::default(),
        }
    }
}

impl Vitals {
    #[inline]
    pub fn is_well(&self) -> bool {
        self.well.load(Relaxed)
    }

    /// When it became what it is; none for one that was always well.
    pub fn since(&self) -> Option<Nanos> {
        Some(Nanos(self.since.load(Relaxed))).filter(|since| *since > Nanos::ZERO)
    }

    /// Forgets what checks said, when there are none any more.
    pub(super) fn forget(&self) {
        if !self.well.swap(true, Relaxed) {
            self.since.store(0, Relaxed);
        }
        self.against.store(0, Relaxed);
        self.next_check.store(0, Relaxed);
    }

    /// Takes the check that is due at `now`, if one is. Whoever has it calls [`Vitals::checked`].
    pub(super) fn take_check(&self, now: Nanos) -> bool {
        self.next_check.load(Relaxed) <= now.0 && !self.being_checked.swap(true, Relaxed)
    }

    /// Counts a check, and tells whether the server is well now, when that has changed.
    pub(super) fn checked(&self, good: bool, rule: &Health, now: Nanos) -> Option<bool> {
        self.checks.one();
        self.failures.add(u64::from(!good));
        self.next_check.store(now.plus(varied(rule)).0, Relaxed);
        self.being_checked.store(false, Relaxed);
        let well = self.is_well();
        if good == well {
            self.against.store(0, Relaxed);
            return None;
        }
        let against = self.against.load(Relaxed) + 1;
        let enough = if well { rule.unhealthy } else { rule.healthy };
        if against < enough {
            self.against.store(against, Relaxed);
            return None;
        }
        self.against.store(0, Relaxed);
        self.since.store(now.0, Relaxed);
        self.well.store(good, Relaxed);
        Some(good)
    }
}

/// The interval to the next check, longer or shorter by chance.
fn varied(rule: &Health) -> Nanos {
    let most = u128::from(rule.interval.0) * u128::from(rule.jitter.millionths()) / 1_000_000;
    let most = u64::try_from(most)
        .unwrap_or(u64::MAX / 4)
        .min(u64::MAX / 4);
    Nanos((rule.interval.0 - most).saturating_add(chance::below(2 * most + 1)))
}

/// A check that found something wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Illness {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the answer to the check was {0}")]
    Status(u16),
    #[error("the check cannot be asked for: {0}")]
    Request(#[from] http::Error),
}

/// Checks one server.
pub(super) async fn check(
    upstream: &Upstream,
    server: &Server,
    rule: &Health,
) -> Result<(), Illness> {
    let within: Duration = rule.timeout.into();
    let to = upstream.reach(server);
    let Check::Http { path, host, status } = &rule.check else {
        return Ok(fetch::connect(&to, within).await?);
    };
    let host = match host {
        Some(host) => HeaderValue::from_str(host).map_err(http::Error::from)?,
        None => upstream.host_of(server),
    };
    let request = Request::get(path.as_str())
        .header(header::HOST, host)
        .header(
            header::USER_AGENT,
            concat!("floodwall/", env!("CARGO_PKG_VERSION"), " health check"),
        )
        .body(Bytes::new())?;
    let bounds = Bounds {
        within,
        body: BodyBound::Start { most: 0 },
    };
    let answered = fetch::fetch(&to, request, bounds).await?.status().as_u16();
    if status.iter().any(|range| range.contains(answered)) {
        Ok(())
    } else {
        Err(Illness::Status(answered))
    }
}

#[cfg(test)]
mod tests {
    use floodwall_config::units::Share;

    use super::*;

    const RULE: Health = Health {
        check: Check::Tcp,
        interval: Nanos::SECOND,
        jitter: Share::of_millionths(100_000),
        timeout: Nanos::SECOND,
        healthy: 2,
        unhealthy: 3,
        panic: Share::NOTHING,
    };

    #[test]
    fn it_takes_so_many_in_a_row() {
        let vitals = Vitals::default();
        let now = Nanos::from_secs(9);
        let after = |checks: &[bool]| -> Vec<Option<bool>> {
            checks
                .iter()
                .map(|good| vitals.checked(*good, &RULE, now))
                .collect()
        };
        assert!(
            after(&[false, false, true, false, false])
                .iter()
                .all(Option::is_none)
        );
        assert_eq!((vitals.is_well(), vitals.since()), (true, None));
        assert_eq!(
            after(&[false, false, true, false, true]),
            [Some(false), None, None, None, None]
        );
        assert_eq!(vitals.since(), Some(now));
        assert_eq!(after(&[true, true]), [Some(true), None]);
        assert_eq!((vitals.checks.get(), vitals.failures.get()), (12, 7));
    }

    #[test]
    fn checks_come_after_about_the_interval_and_one_at_a_time() {
        let vitals = Vitals::default();
        let now = Nanos::from_secs(9);
        assert!(vitals.take_check(now) && !vitals.take_check(now));
        for _ in 0..100 {
            vitals.checked(true, &RULE, now);
            let [early, late] = [899, 1_101].map(|millis| now.plus(Nanos::from_millis(millis)));
            assert!(!vitals.take_check(early) && vitals.take_check(late));
        }
    }
}
