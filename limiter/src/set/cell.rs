//! One key and one cell: finding it, claiming it, moving in, and seeing who else is there.

use super::{Cells, WAYS};
use crate::Nanos;

#[inline(always)]
pub(super) const fn is_claim(time: u64) -> bool {
    time & 1 == 1
}

/// Whether a fingerprint word is this key's, in either edition.
#[inline(always)]
pub(super) const fn is_of(word: u64, fingerprint: u64) -> bool {
    word | 1 == fingerprint
}

/// Whether the cell is the key's, or is about to be. `time` was read before this is asked.
#[inline(always)]
pub(super) fn holds<C: Cells>(cells: &C, way: usize, fingerprint: u64, time: u64) -> bool {
    if is_claim(time) {
        time == fingerprint
    } else {
        is_of(cells.fingerprint(way), fingerprint)
    }
}

#[inline(always)]
pub(super) fn locate<C: Cells>(cells: &C, fingerprint: u64) -> Option<(usize, u64)> {
    for way in 0..WAYS {
        let time = cells.time(way);
        if holds(cells, way, fingerprint, time) {
            return Some((cells.forget_way(way), time));
        }
    }
    None
}

/// What a thread sees right after its charge.
pub(super) enum Sight {
    /// Its key in the cell it charged, and nowhere else.
    Alone,
    /// Its key in this cell too.
    Twin(usize),
    /// Another key in the cell it charged, which must have had the same time.
    Strangers,
}

#[inline(always)]
pub(super) fn look_around<C: Cells>(cells: &C, fingerprint: u64, own: usize) -> Sight {
    if !is_of(cells.fingerprint(own), fingerprint) {
        return Sight::Strangers;
    }
    for way in 0..WAYS {
        if way != own && holds(cells, way, fingerprint, cells.time(way)) {
            return Sight::Twin(way);
        }
    }
    Sight::Alone
}

/// Puts a claim on the first free cell, or on the one with the least debt, and tells what that debt was.
#[inline(always)]
pub(super) fn claim<C: Cells>(cells: &C, fingerprint: u64, now: Nanos) -> Option<(usize, Nanos)> {
    let mut best = (0, 0, u64::MAX);
    for way in 0..WAYS {
        let time = cells.time(way);
        // Somebody's unfinished claim has no debt, but goes after the free cells: breaking it costs them a retry.
        let debt = if is_claim(time) {
            1
        } else {
            time.saturating_sub(now.0)
        };
        if debt < best.2 {
            best = (way, time, debt);
        }
        best = (
            cells.forget_way(best.0),
            cells.forget(best.1),
            cells.forget(best.2),
        );
    }
    let (way, time, debt) = best;
    let displaced = if is_claim(time) {
        Nanos::ZERO
    } else {
        Nanos(debt)
    };
    cells
        .swap_time(way, time, fingerprint)
        .then_some((way, displaced))
}

/// The middle step of a claim. False when the claim was broken meanwhile.
///
/// The word changes its edition even if the key had been here before, so that a thread which was here with
/// a claim that is broken by now does not mistake the cell for the one it had claimed. Should it do so
/// all the same, because the edition came round, it puts another key's word back; its own key may have
/// been charged here meanwhile.
#[inline(always)]
pub(super) fn move_in<C: Cells>(cells: &C, way: usize, fingerprint: u64) -> bool {
    let old = cells.fingerprint(way);
    let new = fingerprint ^ (old & 1);
    if cells.time(way) != fingerprint || !cells.swap_fingerprint(way, old, new) {
        return false;
    }
    let claimed = cells.time(way) == fingerprint;
    if !claimed && old > 1 && !is_of(old, fingerprint) {
        cells.swap_fingerprint(way, new, old);
    }
    claimed
}
