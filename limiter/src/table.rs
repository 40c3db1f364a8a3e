//! The flow table: sets of cells over plain memory or over memory that the kernel maps too.

use core::sync::atomic::{AtomicU64 as Counter, Ordering::Relaxed};

use crate::{
    FlowId, Nanos, Quota, Secret,
    set::{self, Blocked, Cells, Done, Join, Refused, WAYS},
    sync::{AtomicU64, Ordering, exchange},
};

/// One cell: 16 bytes that the kernel sees as two words.
#[derive(Debug, Default)]
#[repr(C)]
struct Cell {
    fingerprint: AtomicU64,
    time: AtomicU64,
}

/// Four cells in one cache line, as the BPF array holds them.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Set([Cell; WAYS]);

#[cfg(not(loom))]
const _: () = assert!(size_of::<Set>() == 64 && align_of::<Set>() == 64);

impl Cells for Set {
    // Every lost race is somebody else's progress, so this many in a row mean that something is badly wrong.
    const ATTEMPTS: usize = if cfg!(loom) { 8 } else { 4096 };

    #[inline(always)]
    fn fingerprint(&self, way: usize) -> u64 {
        self.0[way].fingerprint.load(Ordering::SeqCst)
    }

    #[inline(always)]
    fn time(&self, way: usize) -> u64 {
        self.0[way].time.load(Ordering::SeqCst)
    }

    #[inline(always)]
    fn swap_fingerprint(&self, way: usize, from: u64, to: u64) -> bool {
        exchange(&self.0[way].fingerprint, from, to)
    }

    #[inline(always)]
    fn swap_time(&self, way: usize, from: u64, to: u64) -> bool {
        exchange(&self.0[way].time, from, to)
    }
}

/// The flow table over some memory `M`: a boxed slice, or a mapping that the kernel shares.
///
/// Every method takes `&self`, allocates nothing, never blocks and makes no system call.
#[derive(Debug)]
pub struct FlowTable<M> {
    memory: M,
    mask: u64,
    secret: Secret,
    displaced: Counter,
    contended: Counter,
}

impl FlowTable<Box<[Set]>> {
    /// Makes a table in the process's own memory that holds `sources` cells, rounded up to a power of two.
    pub fn own(sources: u64, secret: Secret) -> Self {
        let sets = Self::sets_for(sources);
        let memory = (0..sets).map(|_| Set::default()).collect();
        Self::over(memory, secret)
    }
}

impl<M> FlowTable<M> {
    /// How many sets a table for so many cells has: a power of two, at least one page of them.
    pub fn sets_for(sources: u64) -> u64 {
        (sources.div_ceil(WAYS as u64)).next_power_of_two().max(64)
    }
}

impl<M: AsRef<[Set]>> FlowTable<M> {
    /// Puts a table over memory whose number of sets is a power of two; more sets than that are not used.
    ///
    /// # Panics
    /// When there is no set at all.
    pub fn over(memory: M, secret: Secret) -> Self {
        let sets = memory.as_ref().len() as u64;
        assert!(sets > 0, "a flow table needs at least one set");
        Self {
            memory,
            mask: (1 << sets.ilog2()) - 1,
            secret,
            displaced: Counter::new(0),
            contended: Counter::new(0),
        }
    }

    /// The secret that keys of this table are hashed with.
    pub fn secret(&self) -> Secret {
        self.secret
    }

    /// How many cells there are.
    pub fn cells(&self) -> u64 {
        (self.mask + 1) * WAYS as u64
    }

    /// How often this process displaced a key that was in debt.
    pub fn displaced(&self) -> u64 {
        self.displaced.load(Relaxed)
    }

    /// How often this process refused because it lost too many races.
    pub fn contended(&self) -> u64 {
        self.contended.load(Relaxed)
    }

    /// Charges `cost` units of `quota`.
    ///
    /// # Errors
    /// [`Refused`] when the quota does not allow it; nothing is charged then.
    #[inline]
    pub fn charge(
        &self,
        flow: FlowId,
        quota: Quota,
        now: Nanos,
        cost: u64,
    ) -> Result<Done, Refused> {
        match set::recharge(self.set(flow), flow, quota, now, cost) {
            Some(outcome) => outcome,
            None => self.charge_further(flow, quota, now, cost),
        }
    }

    /// What takes more than one attempt at the key's own cell: rare, and kept out of the way of all the others.
    #[cold]
    #[inline(never)]
    fn charge_further(
        &self,
        flow: FlowId,
        quota: Quota,
        now: Nanos,
        cost: u64,
    ) -> Result<Done, Refused> {
        self.note(set::charge(self.set(flow), flow, quota, now, cost))
    }

    /// Gives back `cost` units of a charge that is not used after all.
    pub fn refund(&self, flow: FlowId, quota: Quota, charge: Done, now: Nanos, cost: u64) {
        let price = Nanos(quota.interval().0.saturating_mul(cost));
        set::refund(self.set(flow), flow.fingerprint(), charge.time, price, now);
    }

    /// Charges `price` after the fact: the debt grows whatever a quota would say, but to no more than `deepest`.
    ///
    /// # Errors
    /// [`Refused::Contended`].
    pub fn debit(
        &self,
        flow: FlowId,
        price: Nanos,
        deepest: Nanos,
        now: Nanos,
    ) -> Result<Done, Refused> {
        let end = now.plus(deepest);
        let step = |time: Nanos| {
            // Even, as every time in a cell: an odd clock and an odd price round up.
            let start = time.max(even_up(now));
            Ok(even_up(start.plus(price)).min(even_down(end)).max(start))
        };
        let fingerprint = flow.fingerprint();
        self.note(set::update(
            self.set(flow),
            fingerprint,
            Join::Sum,
            now,
            step,
        ))
    }

    /// The debt of a key: how long until it has none.
    #[inline]
    pub fn debt(&self, flow: FlowId, now: Nanos) -> Nanos {
        self.time(flow).minus(now)
    }

    /// The raw time of a key; zero when it has no cell.
    pub fn time(&self, flow: FlowId) -> Nanos {
        set::peek(self.set(flow), flow.fingerprint())
    }

    /// Moves a key's time on by a step of the caller's, as [`set::update`] says with [`Join::Later`].
    ///
    /// # Errors
    /// What the step refuses, or [`Refused::Contended`].
    pub fn update(
        &self,
        flow: FlowId,
        now: Nanos,
        step: impl Fn(Nanos) -> Result<Nanos, Refused>,
    ) -> Result<Done, Refused> {
        self.note(set::update(
            self.set(flow),
            flow.fingerprint(),
            Join::Later,
            now,
            step,
        ))
    }

    /// Keeps a key's time at `until` at least: how a source is blocked.
    ///
    /// # Errors
    /// [`Refused::Contended`].
    pub fn hold(&self, flow: FlowId, until: Nanos, now: Nanos) -> Result<Done, Refused> {
        let until = Nanos(until.0 & !1);
        self.update(flow, now, |time| Ok(time.max(until)))
    }

    /// Forgets a key. Tells whether it had a cell.
    pub fn clear(&self, flow: FlowId) -> bool {
        set::clear(self.set(flow), flow.fingerprint())
    }

    /// What blocks a source now.
    #[inline]
    pub fn blocked(&self, block: FlowId, now: Nanos) -> Blocked {
        set::blocked(self.set(block), block, now)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the masked index is below the slice's length"
    )]
    #[inline]
    fn set(&self, flow: FlowId) -> &Set {
        &self.memory.as_ref()[flow.set(self.mask) as usize]
    }

    fn note(&self, outcome: Result<Done, Refused>) -> Result<Done, Refused> {
        match outcome {
            Ok(done) if done.displaced > Nanos::ZERO => self.displaced.fetch_add(1, Relaxed),
            Err(Refused::Contended) => self.contended.fetch_add(1, Relaxed),
            _ => 0,
        };
        outcome
    }
}

/// The next even time; of the last ones, the last that a charge may reach.
fn even_up(time: Nanos) -> Nanos {
    even_down(time.plus(Nanos(time.0 & 1)))
}

fn even_down(time: Nanos) -> Nanos {
    Nanos(time.0.min(u64::MAX - 3) & !1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{KeyHash, LimitId, LimitKind};

    const NOW: Nanos = Nanos::from_secs(5);

    fn table() -> (FlowTable<Box<[Set]>>, FlowId) {
        let secret = Secret { k0: 3, k1: 4 };
        let limit = LimitId::new(secret, LimitKind::Request, "debit");
        let flow = FlowId::new(KeyHash::of_port(secret, 1), limit);
        (FlowTable::own(64, secret), flow)
    }

    #[test]
    fn a_debit_goes_over_the_quota_but_not_below_the_deepest() {
        let (table, flow) = table();
        let quota = Quota::new(10, Nanos::SECOND, 2);
        assert!(table.charge(flow, quota, NOW, 2).is_ok());
        let deepest = Nanos::from_millis(500);
        for expected in [300, 400, 500, 500] {
            assert!(table.debit(flow, quota.interval(), deepest, NOW).is_ok());
            assert_eq!(table.debt(flow, NOW), Nanos::from_millis(expected));
        }
        assert!(table.charge(flow, quota, NOW, 1).is_err());
        let later = NOW.plus(Nanos::from_millis(400));
        assert!(table.charge(flow, quota, later, 1).is_ok());
    }

    #[test]
    fn a_debit_never_lowers_a_debt_and_never_leaves_the_clock() {
        let (table, flow) = table();
        assert!(table.debit(flow, Nanos::SECOND, Nanos::MAX, NOW).is_ok());
        assert!(table.debit(flow, Nanos(7), Nanos::ZERO, NOW).is_ok());
        assert_eq!(table.debt(flow, NOW), Nanos::SECOND);
        assert!(table.debit(flow, Nanos::MAX, Nanos::MAX, NOW).is_ok());
        assert_eq!(table.time(flow).0 & 1, 0);
        assert!(table.time(flow) > Nanos(u64::MAX - 8));
    }

    #[test]
    fn an_odd_clock_leaves_an_even_time() {
        let (table, flow) = table();
        let odd = Nanos(NOW.0 + 1);
        assert!(table.debit(flow, Nanos(3), Nanos::SECOND, odd).is_ok());
        assert_eq!(table.time(flow).0 & 1, 0);
    }
}
