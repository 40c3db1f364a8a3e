//! Limits of requests, and the blocks that they make.

use std::fmt;

use super::Page;
use crate::status::{LimitStatus, Status};

pub(super) fn write(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    let verdicts = status.limits.iter().flat_map(|limit| {
        [
            ("admitted", limit.admitted),
            ("refused", limit.refused),
            ("shadowed", limit.shadowed),
            ("unenforced", limit.unenforced),
        ]
        .map(|(verdict, count)| {
            (
                [("limit", limit.name.as_str()), ("verdict", verdict)],
                count,
            )
        })
    });
    page.counter(
        "limit_requests",
        "Requests by limit and verdict; `shadowed` is over a limit that only counts, `unenforced` over one that \
         does not refuse this key",
        verdicts,
    )?;
    let by_name = |of: fn(&LimitStatus) -> u64| {
        let limits = status.limits.iter();
        limits.map(move |limit| ([("limit", limit.name.as_str())], of(limit)))
    };
    page.counter(
        "limit_takeovers",
        "Keys in debt that lost their cell to one of a limit's",
        by_name(|limit| limit.takeovers),
    )?;
    page.counter(
        "limit_blocks",
        "Sources that a limit has blocked",
        by_name(|limit| limit.blocks),
    )?;
    page.gauge(
        "limit_waiting",
        "Requests that wait for their turn or for a slot",
        by_name(|limit| limit.waiting),
    )?;
    page.gauge(
        "limit_in_flight",
        "Requests that hold a slot of a limit of concurrency",
        by_name(|limit| limit.in_flight),
    )?;
    blocked(status, page)
}

fn blocked(status: &Status, page: &mut Page<'_>) -> fmt::Result {
    page.gauge_one(
        "blocked_sources",
        "Sources that are blocked now",
        status.blocks as u64,
    )?;
    let budget = &status.blocks_budget;
    page.gauge_one(
        "blocks_budget",
        "How many sources limits may block at one time",
        budget.max,
    )?;
    page.gauge_one(
        "blocks_budget_spent",
        "How many of them are blocked now",
        budget.standing,
    )?;
    let refused = [("full", budget.refused_full), ("rate", budget.refused_rate)];
    page.counter(
        "blocks_refused",
        "Blocks that limits wanted and the budget did not allow",
        refused.map(|(why, count)| ([("reason", why)], count)),
    )
}
