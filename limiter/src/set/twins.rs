//! One key in two cells: taking a charge back, and merging the two.

use super::{
    Cells, Join,
    cell::{holds, is_claim, is_of, locate},
    even_up, higher,
};
use crate::Nanos;

/// Undoes one's own charge: exactly if nobody has charged since, else by what it had added, here or where
/// another thread has moved it to.
#[inline(always)]
pub(super) fn take_back<C: Cells>(
    cells: &C,
    way: usize,
    fingerprint: u64,
    before: u64,
    next: u64,
    now: Nanos,
) {
    if !cells.swap_time(way, next, before) {
        let added = next.saturating_sub(if before > now.0 { before } else { now.0 });
        if !subtract(cells, way, fingerprint, added)
            && let Some((moved, _)) = locate(cells, fingerprint)
        {
            subtract(cells, moved, fingerprint, added);
        }
    }
}

/// The claim of nobody: the word of a cell that is being given up.
const NOBODYS: u64 = 1;

/// Merges two cells of one key: what `gone` says moves to `kept`, and `gone` becomes nobody's.
#[inline(always)]
pub(super) fn settle<C: Cells>(
    cells: &C,
    fingerprint: u64,
    kept: usize,
    gone: usize,
    join: Join,
    now: Nanos,
) {
    let time = cells.time(gone);
    if !holds(cells, gone, fingerprint, time) {
        return;
    }
    let live = !is_claim(time) && time > now.0;
    if live && !add(cells, kept, fingerprint, time, join, now) {
        return;
    }
    if cells.swap_time(gone, time, NOBODYS) {
        let word = cells.fingerprint(gone);
        if is_of(word, fingerprint) {
            cells.swap_fingerprint(gone, word, !word & 1);
        }
        cells.swap_time(gone, NOBODYS, 0);
    } else if live && matches!(join, Join::Sum) {
        subtract(cells, kept, fingerprint, time - now.0);
    }
}

/// Puts the time of a twin onto a cell. False when the cell is not the key's any more.
#[inline(always)]
fn add<C: Cells>(
    cells: &C,
    way: usize,
    fingerprint: u64,
    twin: u64,
    join: Join,
    now: Nanos,
) -> bool {
    for _ in 0..C::ATTEMPTS {
        let time = cells.time(way);
        if is_claim(time) || !is_of(cells.fingerprint(way), fingerprint) {
            return false;
        }
        let joined = match join {
            Join::Sum => even_up(higher(time, now.0).saturating_add(twin - now.0)),
            Join::Later => higher(time, twin),
        };
        if cells.swap_time(way, time, joined) {
            return true;
        }
    }
    false
}

/// Takes a debt off a cell. False when the cell is not the key's any more.
#[inline(always)]
fn subtract<C: Cells>(cells: &C, way: usize, fingerprint: u64, debt: u64) -> bool {
    for _ in 0..C::ATTEMPTS {
        let time = cells.time(way);
        if is_claim(time) || !is_of(cells.fingerprint(way), fingerprint) {
            return false;
        }
        if cells.swap_time(way, time, even_up(time.saturating_sub(debt))) {
            return true;
        }
    }
    false
}
