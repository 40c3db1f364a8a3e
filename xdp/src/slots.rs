//! Which limit counts where: a limit that keeps its name keeps its counters, over reloads and restarts.

use std::sync::atomic::Ordering::SeqCst;

use floodwall_limiter::LimitId;
use floodwall_xdp_abi::maps::{Counters, LIMITS, SLOTS};

use crate::control::Page;

// The limits of the present generation and of the next one always find room.
const _: () = assert!(SLOTS >= 2 * LIMITS);

/// Gives each limit a slot: its own, or one that was never used, or one whose limit is not `present`.
///
/// `totals` is what all slots have counted up to now.
pub(crate) fn assign(
    page: &Page,
    limits: &[LimitId],
    present: &[LimitId],
    totals: &Counters,
) -> Vec<u32> {
    let slots = page.slots();
    let holder = |slot: usize| slots[slot].load(SeqCst);
    let wanted = |id: u64| {
        let mut all = limits.iter().chain(present);
        all.any(|limit| limit.bits() == id)
    };
    let mut given = Vec::new();
    for limit in limits {
        let id = limit.bits();
        let slot = (0..SLOTS)
            .find(|slot| holder(*slot) == id)
            .or_else(|| (0..SLOTS).find(|slot| holder(*slot) == 0))
            .or_else(|| (0..SLOTS).find(|slot| !wanted(holder(*slot))))
            .unwrap_or(0);
        if holder(slot) != id {
            let counted = totals.limits[slot];
            let counted = [
                counted.admitted,
                counted.dropped,
                counted.shadowed,
                counted.cookies,
            ];
            for (base, counted) in page.bases(slot).into_iter().zip(counted) {
                base.store(counted, SeqCst);
            }
            slots[slot].store(id, SeqCst);
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are 64 slots")]
        given.push(slot as u32);
    }
    given
}
