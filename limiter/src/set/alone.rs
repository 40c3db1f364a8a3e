//! The way of nearly every charge: the key is alone, in a cell of its own, and nobody interferes.

use super::{
    Cells, Done, Refused, WAYS,
    cell::{is_claim, is_of},
};
use crate::Nanos;

/// Moves the key's time on if it has one cell and one attempt does; [`None`] when it takes more than that,
/// and nothing has changed then.
///
/// It looks for a twin before its charge rather than after, in the fingerprints alone. That is enough: a
/// fingerprint is written before a cell's first charge, so that of two twins the one which was charged later
/// is known for a twin to everybody who has read its debt, and to its mover, who takes the charge back. A
/// cell without any debt proves nothing of the kind: zero is what a charge that was taken back leaves.
#[inline(always)]
pub(super) fn update<C: Cells>(
    cells: &C,
    fingerprint: u64,
    step: impl Fn(Nanos) -> Result<Nanos, Refused>,
) -> Option<Result<Done, Refused>> {
    let way = if is_of(cells.fingerprint(0), fingerprint) {
        0
    } else {
        find_further(cells, fingerprint)?
    };
    let seen = cells.time(way);
    if seen == 0 || is_claim(seen) || !is_only(cells, fingerprint, way) {
        return None;
    }
    match exchange(cells, way, seen, step)? {
        Ok(time) if is_of(cells.fingerprint(way), fingerprint) => Some(Ok(Done {
            time,
            displaced: Nanos::ZERO,
        })),
        Ok(time) => {
            cells.swap_time(way, time.0, seen);
            None
        }
        Err(refused) => Some(Err(refused)),
    }
}

/// Moves one cell's time on by one step, from what was seen there. [`None`] when it is not there any more.
#[inline(always)]
pub(super) fn exchange<C: Cells>(
    cells: &C,
    way: usize,
    seen: u64,
    step: impl Fn(Nanos) -> Result<Nanos, Refused>,
) -> Option<Result<Nanos, Refused>> {
    let before = if is_claim(seen) { 0 } else { seen };
    match step(Nanos(before)) {
        Ok(next) => cells.swap_time(way, seen, next.0).then_some(Ok(next)),
        Err(refused) => (cells.time(way) == seen).then_some(Err(refused)),
    }
}

/// Most keys are in the first cell, whose neighbours the kernel's program finds without reckoning: it looks at what
/// follows twice, once for that cell and once for the others.
#[inline(always)]
fn find_further<C: Cells>(cells: &C, fingerprint: u64) -> Option<usize> {
    (1..WAYS)
        .find(|way| is_of(cells.fingerprint(*way), fingerprint))
        .map(|way| cells.forget_way(way))
}

/// Whether the cell is the key's and no other one is.
#[inline(always)]
fn is_only<C: Cells>(cells: &C, fingerprint: u64, way: usize) -> bool {
    if way == 0 {
        return is_of(cells.fingerprint(0), fingerprint)
            && (1..WAYS).all(|other| !is_of(cells.fingerprint(other), fingerprint));
    }
    is_of(cells.fingerprint(way), fingerprint)
        && (1..WAYS).all(|turn| !is_of(cells.fingerprint(way ^ turn), fingerprint))
}
