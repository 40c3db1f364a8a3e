//! Tokens: how old they are, and how fetching them goes.

use std::fmt;

use super::Page;
use crate::tokens::status::TokenStatus;

pub(super) fn write(tokens: &[TokenStatus], page: &mut Page<'_>) -> fmt::Result {
    if tokens.is_empty() {
        return Ok(());
    }
    let ages = tokens.iter().filter_map(|token| {
        let age = token.age_seconds?;
        Some(([("token", token.name.as_str())], age))
    });
    page.gauge(
        "token_age_seconds",
        "Time since the token in use was fetched; absent before the first",
        ages,
    )?;
    let fetches = tokens.iter().flat_map(|token| {
        let good = token.fetches.saturating_sub(token.failures);
        [("ok", good), ("failed", token.failures)].map(|(outcome, count)| {
            (
                [("token", token.name.as_str()), ("outcome", outcome)],
                count,
            )
        })
    });
    page.counter("token_fetches", "How often a token was fetched", fetches)
}
