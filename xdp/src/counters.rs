//! What the program has counted, over all CPUs, since the maps were made.

use std::{fmt, sync::atomic::Ordering::SeqCst};

use aya::{
    Pod,
    maps::{Map, MapData, PerCpuArray},
};
use floodwall_xdp_abi::{Reason, maps, maps::COUNTERS};

use crate::{Error, control::Page, shared::LoadedLimit};

/// Totals that only ever grow, over reloads and restarts too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets, by what decided over them. Every packet counts under exactly one.
    pub reasons: Vec<(Reason, u64)>,
    /// How often the program moved a key in debt out of its cell.
    pub displaced: u64,
    /// How often the program refused a packet because its decision lost too many races.
    pub contended: u64,
    /// The present generation's limits.
    pub limits: Vec<LimitCounters>,
}

/// What became of the packets that one limit counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitCounters {
    pub name: String,
    /// Packets that this limit and every other one admitted.
    pub admitted: u64,
    /// Packets that this limit refused.
    pub dropped: u64,
}

impl Counters {
    /// How many packets one reason has.
    pub fn of(&self, reason: Reason) -> u64 {
        let mut found = self.reasons.iter().filter(|(other, _)| *other == reason);
        found.next().map_or(0, |(_, packets)| *packets)
    }
}

/// The pinned map.
pub(crate) struct Tally(PerCpuArray<MapData, OneCpu>);

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tally(..)")
    }
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct OneCpu(maps::Counters);

// SAFETY: words without padding, for which every bit pattern is a value.
unsafe impl Pod for OneCpu {}

impl Tally {
    pub(crate) fn over(map: MapData) -> Result<Self, Error> {
        PerCpuArray::try_from(Map::PerCpuArray(map))
            .map(Self)
            .map_err(|error| Error::kernel(format!("open {COUNTERS}"), error))
    }

    /// What all CPUs have counted.
    pub(crate) fn totals(&self) -> Result<maps::Counters, Error> {
        let cpus = self
            .0
            .get(&0, 0)
            .map_err(|error| Error::kernel(format!("read {COUNTERS}"), error))?;
        let mut totals = maps::Counters::default();
        for OneCpu(cpu) in cpus.iter() {
            add(&mut totals, cpu);
        }
        Ok(totals)
    }
}

fn add(totals: &mut maps::Counters, cpu: &maps::Counters) {
    for (total, count) in totals.reasons.iter_mut().zip(cpu.reasons) {
        *total += count;
    }
    for (total, count) in totals.limits.iter_mut().zip(cpu.limits) {
        // A packet that is given back is taken off again, so that one CPU's word may be below zero for a moment.
        total.admitted = total.admitted.wrapping_add(count.admitted);
        total.dropped += count.dropped;
    }
    totals.displaced += cpu.displaced;
    totals.contended += cpu.contended;
}

/// The totals with their names; `limits` are the present generation's.
pub(crate) fn named(totals: &maps::Counters, page: &Page, limits: &[LoadedLimit]) -> Counters {
    let limits = limits.iter().map(|limit| {
        let slot = limit.slot as usize;
        let [admitted, dropped] = page.bases(slot).map(|base| base.load(SeqCst));
        LimitCounters {
            name: limit.name.clone(),
            admitted: totals.limits[slot].admitted.wrapping_sub(admitted),
            dropped: totals.limits[slot].dropped.wrapping_sub(dropped),
        }
    });
    Counters {
        reasons: Reason::ALL.into_iter().zip(totals.reasons).collect(),
        displaced: totals.displaced,
        contended: totals.contended,
        limits: limits.collect(),
    }
}
