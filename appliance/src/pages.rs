//! What clients are shown instead of a bare error.

use floodwall_config::ErrorPage;
use pingora_error::Result;

use crate::{
    generation::Generation,
    refusal::{self, Answer},
    route::Route,
};

/// The page for an error: the route's before the file's.
pub fn find<'a>(
    generation: &'a Generation,
    route: Option<&'a Route>,
    status: u16,
) -> Option<&'a ErrorPage> {
    route
        .and_then(|route| route.rule.errors.of(status))
        .or_else(|| generation.config.errors.of(status))
}

/// The answer for an error: its page, or the reason in a line.
///
/// # Errors
/// Never for a status between 100 and 999 and a checked configuration.
pub fn answer(
    generation: &Generation,
    route: Option<&Route>,
    status: u16,
    reason: &str,
) -> Result<Answer> {
    match find(generation, route, status) {
        Some(page) => refusal::configured(&page.answer(status)),
        None => refusal::plain(status, reason),
    }
}
