//! A set of four cells: how a key finds its cell, moves into one, and is charged, without a lock.
//!
//! A cell is two words: the **fingerprint** of the key that lives there, and its **time**: until when the
//! key is in debt, on the shared clock. A cell whose time has come is free by definition. Times are even.
//! An odd time word is a **claim**: it holds the fingerprint of the key that is moving in, which is odd
//! always, and says that no debt is recorded here yet.
//!
//! Two words cannot be changed at once, so three rules keep them together:
//!
//! 1. *Every change of hands goes through a claim*: `time -> claim`, then `fingerprint`, then
//!    `claim -> time`, each by compare-exchange. A charge is a compare-exchange on the time alone, of a
//!    value read before the fingerprint; it fails once somebody has claimed the cell.
//! 2. *Nobody waits*: a claim for one's own key is completed by whoever meets it; a claim for another's
//!    can be broken, which costs its owner a retry and no debt, for none was recorded. A claim whose
//!    owner died is broken when the set needs room.
//! 3. *Charge, then look around*: two threads may bring the same key into two cells at once. Each looks
//!    for a twin after its charge; whoever sees one takes its charge back, moves the twin's debt to the
//!    lower cell and starts again. Both words are sequentially consistent, so of two threads at least
//!    one sees the other. While a debt moves it is counted twice rather than not at all.
//!
//! So a key is never admitted beyond its quota. Accepted races and their bounds: when every cell of a set
//! is in debt, a newcomer displaces the least debt, and the displaced key may spend that much again
//! (counted, see [`Done::displaced`]); a decision that loses [`Cells::ATTEMPTS`] races in a row is refused
//! ([`Refused::Contended`]), which the kernel must be able to do because it cannot retry for ever; a claim
//! that is broken between two adjacent instructions of its owner, while the cell's former key returns, can
//! mix up the two keys' debts of that moment.

use crate::{FlowId, Nanos, gcra, key::HOST, quota::Quota};

/// Cells in a set: four of 16 bytes fill a cache line.
pub const WAYS: usize = 4;

/// One set's words, wherever they are: atomics of the host, loom's, or the kernel's map value.
///
/// Loads must not be reordered before an earlier exchange, and every exchange is sequentially consistent.
pub trait Cells {
    /// How many lost races one decision survives.
    const ATTEMPTS: usize;

    fn fingerprint(&self, way: usize) -> u64;
    fn time(&self, way: usize) -> u64;
    /// Replaces the fingerprint if it is `from`, and tells whether it was.
    fn swap_fingerprint(&self, way: usize, from: u64, to: u64) -> bool;
    /// Replaces the time if it is `from`, and tells whether it was.
    fn swap_time(&self, way: usize, from: u64, to: u64) -> bool;
}

/// A charge that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The key's time after the charge.
    pub time: Nanos,
    /// The debt of the key that lost its cell to this one; zero when none did.
    pub displaced: Nanos,
}

/// A charge that was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The key is over its quota; the same cost would pass after `retry_after`, [`Nanos::MAX`] is never.
    Over { retry_after: Nanos },
    /// The decision lost too many races in a row.
    Contended,
}

/// Charges `cost` units of `quota` to the key.
///
/// # Errors
/// [`Refused`] when the quota does not allow it; nothing is charged then.
#[inline(always)]
pub fn charge<C: Cells>(
    cells: &C,
    flow: FlowId,
    quota: Quota,
    now: Nanos,
    cost: u64,
) -> Result<Done, Refused> {
    update(cells, flow.fingerprint(), now, |time| {
        match gcra::step(time, quota, now, cost) {
            gcra::Step::Admit { tat } => Ok(tat),
            gcra::Step::Refuse { retry_after } => Err(Refused::Over { retry_after }),
        }
    })
}

/// Moves the key's time on by `step`, which is given the present one (zero for a key without a cell) and
/// answers with the next, even and not zero, or with a refusal.
///
/// # Errors
/// What `step` refuses, or [`Refused::Contended`].
#[inline(always)]
pub fn update<C: Cells>(
    cells: &C,
    fingerprint: u64,
    now: Nanos,
    step: impl Fn(Nanos) -> Result<Nanos, Refused>,
) -> Result<Done, Refused> {
    for _ in 0..C::ATTEMPTS {
        let (way, seen, displaced) = match locate(cells, fingerprint) {
            Some((way, time)) => (way, time, Nanos::ZERO),
            None => {
                // A key that is refused without any debt needs no cell.
                step(Nanos::ZERO)?;
                match claim(cells, fingerprint, now) {
                    Some((way, displaced)) => (way, fingerprint, displaced),
                    None => continue,
                }
            }
        };
        if is_claim(seen) && !move_in(cells, way, fingerprint) {
            continue;
        }
        let before = if is_claim(seen) {
            Nanos::ZERO
        } else {
            Nanos(seen)
        };
        let next = step(before)?;
        if !cells.swap_time(way, seen, next.0) {
            continue;
        }
        let Some(twin) = twin_of(cells, fingerprint, way) else {
            return Ok(Done {
                time: next,
                displaced,
            });
        };
        take_back(cells, way, fingerprint, before, next, now);
        settle(cells, fingerprint, way.min(twin), way.max(twin), now);
    }
    Err(Refused::Contended)
}

/// The key's time: until when it is in debt or blocked. Zero for a key without a cell.
#[inline(always)]
pub fn peek<C: Cells>(cells: &C, fingerprint: u64) -> Nanos {
    match locate(cells, fingerprint) {
        Some((_, time)) if !is_claim(time) => Nanos(time),
        _ => Nanos::ZERO,
    }
}

/// Gives back `price` of a charge that had left the key's time at `charged`.
///
/// Once that time has passed the debt is paid and there is nothing to give back; before it the key was in
/// debt without a pause, so that taking the price off is exact.
pub fn refund<C: Cells>(cells: &C, fingerprint: u64, charged: Nanos, price: Nanos, now: Nanos) {
    if charged <= now {
        return;
    }
    for _ in 0..C::ATTEMPTS {
        match locate(cells, fingerprint) {
            Some((way, time)) if !is_claim(time) => {
                if cells.swap_time(way, time, time.saturating_sub(price.0)) {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// Forgets the key's debt or block. Tells whether there was a cell.
pub fn clear<C: Cells>(cells: &C, fingerprint: u64) -> bool {
    for _ in 0..C::ATTEMPTS {
        match locate(cells, fingerprint) {
            None => return false,
            Some((way, time)) => {
                if cells.swap_time(way, time, 0) {
                    return true;
                }
            }
        }
    }
    false
}

/// What blocks a source right now: the kernel's first question of every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub listeners: bool,
    pub host: bool,
}

/// Looks for the cells that block a source, in both scopes, with one pass over the set.
#[inline(always)]
pub fn blocked<C: Cells>(cells: &C, block: FlowId, now: Nanos) -> Blocked {
    let wanted = block.fingerprint() & !HOST;
    let mut found = Blocked {
        listeners: false,
        host: false,
    };
    for way in 0..WAYS {
        let fingerprint = cells.fingerprint(way);
        if fingerprint & !HOST == wanted {
            let time = cells.time(way);
            // The cell may have changed hands between the two loads: then the time is somebody else's.
            let live = !is_claim(time) && time > now.0 && cells.fingerprint(way) == fingerprint;
            found.host |= live && fingerprint & HOST != 0;
            found.listeners |= live && fingerprint & HOST == 0;
        }
    }
    found
}

#[inline(always)]
const fn is_claim(time: u64) -> bool {
    time & 1 == 1
}

/// Whether the cell is the key's, or is about to be. `time` was read before this is asked.
#[inline(always)]
fn holds<C: Cells>(cells: &C, way: usize, fingerprint: u64, time: u64) -> bool {
    if is_claim(time) {
        time == fingerprint
    } else {
        cells.fingerprint(way) == fingerprint
    }
}

#[inline(always)]
fn locate<C: Cells>(cells: &C, fingerprint: u64) -> Option<(usize, u64)> {
    for way in 0..WAYS {
        let time = cells.time(way);
        if holds(cells, way, fingerprint, time) {
            return Some((way, time));
        }
    }
    None
}

#[inline(always)]
fn twin_of<C: Cells>(cells: &C, fingerprint: u64, own: usize) -> Option<usize> {
    for way in 0..WAYS {
        if way != own && holds(cells, way, fingerprint, cells.time(way)) {
            return Some(way);
        }
    }
    None
}

/// Puts a claim on the first free cell, or on the one with the least debt, and tells what that debt was.
#[inline(always)]
fn claim<C: Cells>(cells: &C, fingerprint: u64, now: Nanos) -> Option<(usize, Nanos)> {
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
#[inline(always)]
fn move_in<C: Cells>(cells: &C, way: usize, fingerprint: u64) -> bool {
    let old = cells.fingerprint(way);
    if cells.time(way) != fingerprint {
        return false;
    }
    old == fingerprint || cells.swap_fingerprint(way, old, fingerprint)
}

/// Undoes one's own charge, exactly if nobody has charged since, else by what it had added.
#[inline(always)]
fn take_back<C: Cells>(
    cells: &C,
    way: usize,
    fingerprint: u64,
    before: Nanos,
    next: Nanos,
    now: Nanos,
) {
    if !cells.swap_time(way, next.0, before.0) {
        let base = if before.0 > now.0 { before.0 } else { now.0 };
        subtract(cells, way, fingerprint, next.0.saturating_sub(base) & !1);
    }
}

#[inline(always)]
fn subtract<C: Cells>(cells: &C, way: usize, fingerprint: u64, debt: u64) {
    for _ in 0..C::ATTEMPTS {
        let time = cells.time(way);
        if is_claim(time) || cells.fingerprint(way) != fingerprint {
            return;
        }
        if cells.swap_time(way, time, time.saturating_sub(debt)) {
            return;
        }
    }
}

/// Merges two cells of one key: the debt of `gone` moves to `kept`, and `gone` becomes nobody's.
#[inline(always)]
fn settle<C: Cells>(cells: &C, fingerprint: u64, kept: usize, gone: usize, now: Nanos) {
    let time = cells.time(gone);
    if !holds(cells, gone, fingerprint, time) {
        return;
    }
    let debt = if is_claim(time) {
        0
    } else {
        time.saturating_sub(now.0) & !1
    };
    if debt > 0 && !add(cells, kept, fingerprint, debt, now) {
        return;
    }
    if cells.swap_time(gone, time, 0) {
        cells.swap_fingerprint(gone, fingerprint, 0);
    } else if debt > 0 {
        subtract(cells, kept, fingerprint, debt);
    }
}

#[inline(always)]
fn add<C: Cells>(cells: &C, way: usize, fingerprint: u64, debt: u64, now: Nanos) -> bool {
    for _ in 0..C::ATTEMPTS {
        let time = cells.time(way);
        if is_claim(time) || cells.fingerprint(way) != fingerprint {
            return false;
        }
        let base = if time > now.0 {
            time
        } else {
            now.0.saturating_add(now.0 & 1)
        };
        if cells.swap_time(way, time, base.saturating_add(debt) & !1) {
            return true;
        }
    }
    false
}
