//! Whether a request may pass: all its limits admit it, or none is charged.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_limiter::{
    FlowId, Nanos,
    gcra::{self, Step},
    set::{Done, Refused},
};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{
    generation::Generation,
    host::Host,
    key::{Subject, Values},
    limit::{Allowed, Limit, Rule},
    memory::Table,
    route,
};

/// What the limits of a route say of one request.
#[derive(Debug)]
pub enum Verdict {
    /// Every limit admitted it. The tightest of them is told to the client.
    Admitted(Option<Standing>),
    Refused(Refusal),
}

/// How a client stands with one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub limit: config::LimitIndex,
    /// The quota that applies to this key, in the words of the `RateLimit-Policy` field.
    pub policy: HeaderValue,
    /// Requests that may still come at once.
    pub remaining: u64,
    /// When one more than that will be possible.
    pub reset: Nanos,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub limit: config::LimitIndex,
    /// The quota that applies to this key, in the words of the `RateLimit-Policy` field.
    pub policy: HeaderValue,
    /// The same request would pass after this; [`Nanos::MAX`] is never.
    pub retry_after: Nanos,
}

/// A limit that concerns the request, with the key it counts under.
struct Asked<'a> {
    index: config::LimitIndex,
    limit: &'a Limit,
    flow: FlowId,
    rule: &'a Rule,
}

/// A charge that is given back should a later limit refuse.
struct Charged<'a> {
    asked: Asked<'a>,
    done: Done,
}

/// Asks every limit of the route, in order, as of `now`.
pub fn decide(
    host: &Host,
    generation: &Generation,
    route: &Arc<config::Route>,
    subject: &Subject<'_>,
    now: Nanos,
) -> Verdict {
    let mut charged: SmallVec<[Charged<'_>; 8]> = SmallVec::new();
    for &index in &route.limits {
        let Some((asked, values)) = ask(&host.table, generation, index, subject) else {
            continue;
        };
        let (limit, key) = (asked.limit, asked.flow.fingerprint());
        limit.stats.hot.count(key, now, |name| {
            subject.write(&limit.key, &values, name);
        });
        match host.table.charge(asked.flow, asked.rule.rate.quota, now, 1) {
            Ok(done) => {
                if done.displaced > Nanos::ZERO {
                    asked.limit.stats.takeovers.one();
                }
                charged.push(Charged { asked, done });
            }
            Err(_) if asked.limit.shadow => asked.limit.stats.shadowed.one(),
            Err(refused) => {
                give_back(&host.table, &charged, now);
                asked.limit.stats.refused.one();
                asked.limit.stats.hot.refused(key);
                return Verdict::Refused(Refusal {
                    limit: index,
                    policy: asked.rule.policy.clone(),
                    retry_after: retry_after(refused),
                });
            }
        }
    }
    for charge in &charged {
        charge.asked.limit.stats.admitted.one();
    }
    let debt = |charge: &Charged<'_>| charge.done.time.minus(now);
    let tightest = charged
        .iter()
        .filter(|charge| !charge.asked.limit.shadow)
        .min_by_key(|charge| charge.asked.rule.rate.quota.remaining(debt(charge)))
        .map(|charge| standing(charge.asked.index, charge.asked.rule, debt(charge)));
    Verdict::Admitted(tightest)
}

/// What one limit would do with a request, charging nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    pub limit: String,
    /// The key it is counted under, in words; absent when the limit does not concern the request.
    pub key: Option<String>,
    pub rate: Option<String>,
    pub would: Would,
    pub remaining: Option<u64>,
    pub burst: Option<u64>,
    pub retry_after_seconds: Option<f64>,
}

/// The verdict a limit would give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Would {
    Admit,
    Refuse,
    /// It is over, but the limit is in shadow.
    Shadow,
    /// Its `match`, its key or an exception leaves the request out.
    Skip,
}

/// What each limit of the route would say.
pub fn preview(
    host: &Host,
    generation: &Generation,
    route: &config::Route,
    subject: &Subject<'_>,
) -> Vec<Preview> {
    route
        .limits
        .iter()
        .map(|&index| preview_one(host, generation, index, subject))
        .collect()
}

fn preview_one(
    host: &Host,
    generation: &Generation,
    index: config::LimitIndex,
    subject: &Subject<'_>,
) -> Preview {
    let limit = generation.limit(index);
    let Some((asked, values)) = ask(&host.table, generation, index, subject) else {
        return Preview {
            limit: limit.name.clone(),
            key: None,
            rate: None,
            would: Would::Skip,
            remaining: None,
            burst: None,
            retry_after_seconds: None,
        };
    };
    let now = host.now();
    let quota = asked.rule.rate.quota;
    let step = gcra::step(host.table.time(asked.flow), quota, now, 1);
    let (would, retry_after) = match step {
        Step::Admit { .. } => (Would::Admit, None),
        Step::Refuse { retry_after } => (
            if limit.shadow {
                Would::Shadow
            } else {
                Would::Refuse
            },
            Some(retry_after),
        ),
    };
    Preview {
        limit: limit.name.clone(),
        key: Some(subject.describe(&limit.key, &values)),
        rate: Some(asked.rule.rate.text.clone()),
        would,
        remaining: Some(quota.remaining(host.table.debt(asked.flow, now))),
        burst: Some(quota.burst()),
        retry_after_seconds: retry_after
            .filter(|after| *after < Nanos::MAX)
            .map(|after| std::time::Duration::from(after).as_secs_f64()),
    }
}

/// Finds out under which key and quota a limit counts the request; `None` when it does not.
fn ask<'a, 's>(
    table: &Table,
    generation: &'a Generation,
    index: config::LimitIndex,
    subject: &Subject<'s>,
) -> Option<(Asked<'a>, Values<'s>)> {
    let limit = generation.limit(index);
    if limit
        .matches
        .as_ref()
        .is_some_and(|rule| !route::matches(rule, &subject.request))
    {
        return None;
    }
    let values = subject.values(&limit.key);
    if limit.skip_absent && values.iter().any(Option::is_none) {
        return None;
    }
    let Allowed::By(rule) = limit.allowed(
        values.iter().flatten().map(AsRef::as_ref),
        subject.client.address,
    ) else {
        return None;
    };
    let key = subject.hash(table.secret(), &limit.key, &values);
    let asked = Asked {
        index,
        limit,
        flow: FlowId::new(key, limit.id),
        rule,
    };
    Some((asked, values))
}

fn give_back(table: &Table, charged: &[Charged<'_>], now: Nanos) {
    for charge in charged {
        table.refund(
            charge.asked.flow,
            charge.asked.rule.rate.quota,
            charge.done,
            now,
            1,
        );
    }
}

fn standing(limit: config::LimitIndex, rule: &Rule, debt: Nanos) -> Standing {
    let quota = rule.rate.quota;
    let remaining = quota.remaining(debt);
    // The next unit is there when the debt has fallen by what is missing to a whole interval. All times in cells
    // are even, so that an odd debt is the clock's: a nanosecond that must not count as a whole interval.
    let room = quota.depth().minus(Nanos(debt.0 & !1)).0 % quota.interval().0;
    Standing {
        limit,
        policy: rule.policy.clone(),
        remaining,
        reset: Nanos(quota.interval().0 - room),
    }
}

fn retry_after(refused: Refused) -> Nanos {
    match refused {
        Refused::Over { retry_after } => retry_after,
        // A lost race is over in no time.
        Refused::Contended => Nanos(1),
    }
}
