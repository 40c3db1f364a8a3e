//! Why a limit does with a request what it does, in words, for whoever asks without sending one.

use std::sync::Arc;

use floodwall_config::{
    self as config, Config, Count, Direction, Related,
    units::{Share, format_duration},
};

use super::ask::Asked;
use crate::{generation::Generation, key::Subject, limit::Limit, route};

/// What to know of a limit that was asked, or that does not concern the request.
pub(super) fn of(
    generation: &Generation,
    index: config::LimitIndex,
    subject: &Subject<'_>,
    asked: Option<&Asked<'_>>,
) -> Vec<String> {
    let (limit, written) = (generation.limit(index), &generation.config[index]);
    let Some(asked) = asked else {
        return vec![skipped(limit, subject).to_owned()];
    };
    let mut notes = Vec::new();
    if !Arc::ptr_eq(asked.rule, &limit.rule) {
        notes.push(format!("an exception gives this key {}", asked.rule.text));
    }
    notes.extend(enforcement(limit, written.enforce, asked.enforced));
    notes.extend(counted(written, &generation.config));
    notes.extend(written.block.as_ref().map(|block| {
        let span = format_duration;
        let (after, within) = (block.after, span(block.within));
        format!(
            "refusal {after} within {within} blocks for {}",
            span(block.duration)
        )
    }));
    notes
}

fn skipped(limit: &Limit, subject: &Subject<'_>) -> &'static str {
    let matches = limit.matches.as_ref();
    if matches.is_some_and(|rule| !route::matches(rule, &subject.request)) {
        "its match leaves this request out"
    } else if limit.rule(subject).is_none() {
        "an exception lifts it for this key"
    } else {
        "the request lacks a part of its key"
    }
}

fn enforcement(limit: &Limit, share: Share, enforced: bool) -> Option<String> {
    if limit.shadow {
        Some("in shadow: it counts, and refuses nobody".to_owned())
    } else if !enforced {
        Some(format!(
            "refuses {share} of the keys, and this one is not among them"
        ))
    } else if share < Share::WHOLE {
        Some(format!(
            "refuses {share} of the keys, and this one is among them"
        ))
    } else {
        None
    }
}

/// What is charged, where that is not one for each request.
fn counted(limit: &config::Limit, config: &Config) -> Option<String> {
    match (&limit.related, &limit.budget) {
        (Some(Related::Limit(other)), _) => Some(format!(
            "charged by what the limit {} admits",
            config[*other].name
        )),
        (Some(Related::Route(route)), _) => {
            Some(format!("charged by what is admitted of the route {route}"))
        }
        (None, config::Grant::Rate(budget)) => match &budget.count {
            Count::Requests => None,
            Count::Responses(_) => Some("charged when the response is known".to_owned()),
            Count::Bytes(Direction::Both) => Some("charged by bytes in both directions".to_owned()),
            Count::Bytes(Direction::In) => Some("charged by bytes of requests".to_owned()),
            Count::Bytes(Direction::Out) => Some("charged by bytes of responses".to_owned()),
        },
        (None, config::Grant::Concurrency(_)) => None,
    }
}
