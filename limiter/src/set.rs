//! A set of four cells: how a key finds its cell, moves into one, and is charged, without a lock.
//!
//! A cell is two words: the **fingerprint** of the key that lives there, and its **time**: until when the
//! key is in debt, on the shared clock. A cell whose time has come is free by definition. Times are even.
//! An odd time word is a **claim**: it holds the fingerprint of the key that is moving in, which is odd
//! always, and says that no debt is recorded here yet. So bit 0 of the fingerprint word tells nothing of
//! the key; it is the word's edition, which changes whenever somebody moves in.
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
//!    lower cell and starts again. All words are sequentially consistent, so of two threads at least
//!    one sees the other. While a debt moves it is counted twice rather than not at all. Whoever finds
//!    its key alone in a cell may look first and charge then, see `alone`.
//!
//! A value may come back (two keys' times may be equal), so a charge looks at its own cell's fingerprint
//! again and takes itself back from a stranger, and a refusal counts only if the time it was founded on
//! is still there.
//!
//! So a key is never admitted beyond its quota, and never refused for a stranger's debt. Accepted races,
//! with their bounds:
//!
//! - When every cell of a set is in debt, a newcomer displaces the least debt, and the displaced key may
//!   spend that much again. It is counted, see [`Done::displaced`].
//! - A decision that loses [`Cells::ATTEMPTS`] races in a row is refused with [`Refused::Contended`],
//!   because the kernel cannot retry for ever.
//! - A thread that stops in the middle of moving in, while its claim is broken and the cell's former key
//!   has come back twice, puts its name on that key's cell until its next instruction. A charge of either
//!   key that falls between those two is counted for the other. It takes a full set and three threads.
//! - A thread that stops between its charge and its look around, while a twin exists, until its debt has
//!   run out, takes one charge too much off whatever the key owes then.

mod alone;
mod cell;
mod twins;

use cell::{Sight, claim, holds, is_claim, is_of, locate, look_around, move_in};
use twins::{settle, take_back};

use crate::{FlowId, Nanos, Quota, gcra, key::HOST};

/// Cells in a set: four of 16 bytes fill a cache line.
pub const WAYS: usize = 4;

/// One set's words, wherever they are: atomics of the host, loom's, or the kernel's map value.
///
/// Loads must not be reordered before an earlier exchange, and every exchange is sequentially consistent.
pub trait Cells {
    /// How many lost races one decision survives.
    const ATTEMPTS: usize;

    /// The fingerprint word of a cell.
    fn fingerprint(&self, way: usize) -> u64;
    /// The time word of a cell.
    fn time(&self, way: usize) -> u64;
    /// Replaces the fingerprint if it is `from`, and tells whether it was.
    fn swap_fingerprint(&self, way: usize, from: u64, to: u64) -> bool;
    /// Replaces the time if it is `from`, and tells whether it was.
    fn swap_time(&self, way: usize, from: u64, to: u64) -> bool;

    /// The same number. The kernel's side makes the verifier forget what it knows of it, so that what follows is
    /// looked at once, whatever led there.
    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        number
    }

    /// The same cell, see [`Cells::forget`].
    #[inline(always)]
    fn forget_way(&self, way: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "it was a `usize`")]
        let way = self.forget(way as u64) as usize;
        way % WAYS
    }
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

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Over { retry_after } if *retry_after == Nanos::MAX => {
                f.write_str("over the limit, for ever")
            }
            Self::Over { retry_after } => write!(f, "over the limit for {retry_after:?}"),
            Self::Contended => f.write_str("lost too many races for one cell"),
        }
    }
}

impl core::error::Error for Refused {}

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
    update(cells, flow.fingerprint(), Join::Sum, now, |time| {
        step(time, quota, now, cost)
    })
}

/// The first attempt of [`charge`], and nearly always the last: it serves a key that is alone in a cell
/// already. [`None`] when it takes more, and nothing is charged then.
///
/// It is short enough to stand in the kernel's loop over limits, where a call costs more than a charge.
#[inline(always)]
pub fn recharge<C: Cells>(
    cells: &C,
    flow: FlowId,
    quota: Quota,
    now: Nanos,
    cost: u64,
) -> Option<Result<Done, Refused>> {
    alone::update(cells, flow.fingerprint(), |time| {
        step(time, quota, now, cost)
    })
}

#[inline(always)]
fn step(time: Nanos, quota: Quota, now: Nanos, cost: u64) -> Result<Nanos, Refused> {
    match gcra::step(time, quota, now, cost) {
        gcra::Step::Admit { tat } => Ok(tat),
        gcra::Step::Refuse { retry_after } => Err(Refused::Over { retry_after }),
    }
}

/// What becomes of a key's two times when two threads brought it into two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Both debts are owed.
    Sum,
    /// The later time stays: a block's end, or a tally.
    Later,
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
    join: Join,
    now: Nanos,
    step: impl Fn(Nanos) -> Result<Nanos, Refused>,
) -> Result<Done, Refused> {
    let mut displaced = Nanos::ZERO;
    for _ in 0..C::ATTEMPTS {
        if let Some(outcome) = alone::update(cells, fingerprint, &step) {
            return outcome.map(|done| Done { displaced, ..done });
        }
        let (way, seen) = if let Some(found) = locate(cells, fingerprint) {
            found
        } else {
            // A key that is refused without any debt needs no cell.
            step(Nanos::ZERO)?;
            let Some((way, lost)) = claim(cells, fingerprint, now) else {
                continue;
            };
            displaced = Nanos(cells.forget(higher(displaced, lost).0));
            (way, fingerprint)
        };
        let (way, seen) = (cells.forget_way(way), cells.forget(seen));
        if is_claim(seen) && !move_in(cells, way, fingerprint) {
            continue;
        }
        let Some(outcome) = alone::exchange(cells, way, seen, &step) else {
            continue;
        };
        let time = outcome?;
        let done = Done { time, displaced };
        let (before, next) = (if is_claim(seen) { 0 } else { seen }, time.0);
        match look_around(cells, fingerprint, way) {
            Sight::Alone => return Ok(done),
            Sight::Strangers => {
                cells.swap_time(way, next, before);
            }
            Sight::Twin(twin) => {
                if matches!(join, Join::Sum) {
                    take_back(cells, way, fingerprint, before, next, now);
                }
                settle(
                    cells,
                    fingerprint,
                    lower(way, twin),
                    higher(way, twin),
                    join,
                    now,
                );
                if matches!(join, Join::Later) {
                    return Ok(done);
                }
            }
        }
    }
    Err(Refused::Contended)
}

/// The key's time: until when it is in debt or blocked. Zero for a key without a cell.
#[inline(always)]
pub fn peek<C: Cells>(cells: &C, fingerprint: u64) -> Nanos {
    match locate(cells, fingerprint) {
        // The cell may have changed hands between the two loads: then the time was somebody else's.
        Some((way, time)) if !is_claim(time) && cells.time(way) == time => Nanos(time),
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
    let mut found = false;
    for way in 0..WAYS {
        for _ in 0..C::ATTEMPTS {
            let time = cells.time(way);
            if !holds(cells, way, fingerprint, time) {
                break;
            }
            found = true;
            if cells.swap_time(way, time, 0) {
                break;
            }
        }
    }
    found
}

/// What blocks a source right now: the kernel's first question of every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// What it sends to the listeners' ports is dropped.
    pub listeners: bool,
    /// All that it sends is dropped.
    pub host: bool,
}

/// Whether a source has a cell for a block, in either scope, which may be over: what tells most packets apart
/// without a clock.
#[inline(always)]
pub fn was_blocked<C: Cells>(cells: &C, block: FlowId) -> bool {
    let wanted = block.fingerprint() & !HOST;
    (0..WAYS).any(|way| is_of(cells.fingerprint(way) & !HOST, wanted))
}

/// Looks for the cells that block a source, in both scopes, with one pass over the set.
#[inline(always)]
pub fn blocked<C: Cells>(cells: &C, block: FlowId, now: Nanos) -> Blocked {
    let wanted = block.fingerprint() & !HOST;
    // As bits rather than two flags, whose every combination the kernel's verifier would follow.
    let mut found = 0;
    for way in 0..WAYS {
        let fingerprint = cells.fingerprint(way);
        if is_of(fingerprint & !HOST, wanted) {
            let time = cells.time(way);
            // The cell may have changed hands between the two loads: then the time is somebody else's.
            let live = !is_claim(time) && time > now.0 && cells.fingerprint(way) == fingerprint;
            if live {
                found |= 1 << (fingerprint & HOST);
            }
        }
    }
    Blocked {
        listeners: found & 1 != 0,
        host: found & 1 << HOST != 0,
    }
}

/// The next even number; the last one stays.
#[inline(always)]
const fn even_up(time: u64) -> u64 {
    time.saturating_add(time & 1) & !1
}

#[inline(always)]
fn lower<T: PartialOrd>(one: T, other: T) -> T {
    if one < other { one } else { other }
}

#[inline(always)]
fn higher<T: PartialOrd>(one: T, other: T) -> T {
    if one > other { one } else { other }
}
