//! What the limits would do with a request, charging nothing.

use floodwall_config as config;
use floodwall_limiter::{
    Nanos,
    gcra::{self, Step},
};
use serde::{Deserialize, Serialize};

use super::{
    ask::{Asked, ask},
    notes,
};
use crate::{generation::Generation, host::Host, key::Subject, limit::rule::Grant};

/// What one limit would do with a request.
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
    /// How long it would wait for its turn; for a slot that is a guess from how long others have held theirs.
    pub wait_seconds: Option<f64>,
    /// Why it does so: exceptions, shadow, shares of keys, what is charged, and what refusals lead to.
    pub notes: Vec<String>,
}

/// The verdict a limit would give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Would {
    Admit,
    /// It would stand in line first.
    Wait,
    Refuse,
    /// It is over, but the limit is in shadow or not enforced for this key.
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
    let Some(asked) = ask(&host.table, generation, index, subject) else {
        return Preview {
            limit: limit.name.clone(),
            key: None,
            rate: None,
            would: Would::Skip,
            remaining: None,
            burst: None,
            retry_after_seconds: None,
            wait_seconds: None,
            notes: notes::of(generation, index, subject, None),
        };
    };
    let Foreseen {
        would,
        remaining,
        retry_after,
        wait,
    } = match asked.rule.grant {
        Grant::Concurrency(most) => of_slots(&asked, most),
        _ => of_rate(host, &asked),
    };
    let seconds = |span: Nanos| std::time::Duration::from(span).as_secs_f64();
    Preview {
        limit: limit.name.clone(),
        key: Some(subject.describe(&limit.key)),
        rate: Some(asked.rule.text.clone()),
        would: if would == Would::Refuse && !asked.enforced {
            Would::Shadow
        } else {
            would
        },
        remaining: Some(remaining),
        burst: Some(asked.rule.burst),
        retry_after_seconds: retry_after.filter(|after| *after < Nanos::MAX).map(seconds),
        wait_seconds: wait.map(seconds),
        notes: notes::of(generation, index, subject, Some(&asked)),
    }
}

struct Foreseen {
    would: Would,
    remaining: u64,
    retry_after: Option<Nanos>,
    wait: Option<Nanos>,
}

fn of_rate(host: &Host, asked: &Asked<'_>) -> Foreseen {
    let now = host.now();
    let quota = asked.quota(host, now);
    let time = host.table.time(asked.flow());
    let foreseen = |would, retry_after, wait| Foreseen {
        would,
        remaining: asked.remaining(quota, time.minus(now)),
        retry_after,
        wait,
    };
    let Step::Refuse { retry_after } = gcra::step(time, quota, now, 1) else {
        return foreseen(Would::Admit, None, None);
    };
    let Some(queue) = asked.limit.queue.filter(|_| asked.enforced) else {
        return foreseen(Would::Refuse, Some(retry_after), None);
    };
    let is_full = asked.limit.stats.live.line.waiting() as u64 >= u64::from(queue.max_waiting);
    if retry_after > queue.max_wait {
        foreseen(Would::Refuse, Some(retry_after.minus(queue.max_wait)), None)
    } else if is_full {
        foreseen(Would::Refuse, Some(quota.interval()), None)
    } else {
        foreseen(Would::Wait, None, Some(retry_after))
    }
}

fn of_slots(asked: &Asked<'_>, most: u32) -> Foreseen {
    let (live, whose) = (&asked.limit.stats.live, asked.whose());
    let remaining = asked.free_slots(most);
    let foreseen = |would, retry_after, wait| Foreseen {
        would,
        remaining,
        retry_after,
        wait,
    };
    if remaining > 0 {
        return foreseen(Would::Admit, None, None);
    }
    let free = Some(live.until_free(whose, most));
    match asked.limit.queue.filter(|_| asked.enforced) {
        Some(queue) if live.line_of(whose) < u64::from(queue.max_waiting) && most > 0 => {
            foreseen(Would::Wait, None, free)
        }
        _ => foreseen(Would::Refuse, free, None),
    }
}
