//! What is kept over a restart.

use std::fmt;

use super::Page;
use crate::state::StateStatus;

pub(super) fn write(state: Option<&StateStatus>, page: &mut Page<'_>) -> fmt::Result {
    let Some(state) = state else { return Ok(()) };
    page.gauge_one(
        "state_problems",
        "Parts of the state folder that cannot be kept",
        state.problems.len() as u64,
    )?;
    page.gauge_one(
        "state_set_aside",
        "Files that were damaged when the process started",
        state.set_aside.len() as u64,
    )
}
