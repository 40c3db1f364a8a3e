//! What the program has counted, over all CPUs, since the maps were made.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst},
};

use aya::{
    Pod,
    maps::{Map, MapData, PerCpuArray, PerCpuValues},
};
use floodwall_xdp_abi::{
    Reason,
    maps::{self, COUNTERS, GONE_ROW, INTERFACE_ROWS, INTERFACES},
};

use crate::{Error, control::Page, rows::Rows, shared::LoadedLimit};

/// Totals that only ever grow, over reloads and restarts too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By what decided over a packet, over all interfaces. Every packet counts under exactly one.
    pub reasons: Vec<ReasonCounters>,
    /// The same for each interface that the program is attached to, since it was first attached there. Beyond the
    /// 63rd they count together, and each shows what they have.
    pub interfaces: Vec<InterfaceCounters>,
    /// How often the program moved a key in debt out of its cell.
    pub displaced: u64,
    /// How often the program refused a packet because its decision lost too many races.
    pub contended: u64,
    /// How many packets of blocked sources were answered with a reset.
    pub resets: u64,
    /// How many samples found no room because nobody had taken earlier ones out.
    pub samples_lost: u64,
    /// The present generation's limits.
    pub limits: Vec<LimitCounters>,
}

/// How many packets one reason decided over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCounters {
    pub reason: Reason,
    pub packets: u64,
    /// Bytes of their frames, for reasons to drop; zero for the others.
    pub bytes: u64,
}

/// What came in over one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceCounters {
    pub ifindex: u32,
    pub reasons: Vec<ReasonCounters>,
}

/// What became of the packets that one limit counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitCounters {
    pub name: String,
    /// Packets that this limit and every other one admitted.
    pub admitted: u64,
    /// Packets that this limit refused, and that were dropped.
    pub dropped: u64,
    /// Packets that this limit refused, and that were answered with a SYN cookie.
    pub cookies: u64,
    /// Packets that this limit would have refused, were it not in shadow.
    pub shadowed: u64,
}

impl Counters {
    /// How many packets one reason has.
    pub fn of(&self, reason: Reason) -> u64 {
        let mut found = self.reasons.iter().filter(|each| each.reason == reason);
        found.next().map_or(0, |each| each.packets)
    }
}

/// The maps that are counted in.
pub(crate) struct Tally {
    totals: PerCpuArray<MapData, OneCpu>,
    /// One reads or moves rows at a time, so that nobody finds a row twice or not at all.
    interfaces: Mutex<PerCpuArray<MapData, OneRow>>,
}

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

#[derive(Clone, Copy)]
#[repr(transparent)]
struct OneRow(maps::Reasons);

// SAFETY: words without padding, for which every bit pattern is a value.
unsafe impl Pod for OneRow {}

impl Tally {
    pub(crate) fn over(counters: MapData, interfaces: MapData) -> Result<Self, Error> {
        let act = |name| move |error| Error::kernel(format!("open {name}"), error);
        Ok(Self {
            totals: PerCpuArray::try_from(Map::PerCpuArray(counters)).map_err(act(COUNTERS))?,
            interfaces: Mutex::new(
                PerCpuArray::try_from(Map::PerCpuArray(interfaces)).map_err(act(INTERFACES))?,
            ),
        })
    }

    /// What all CPUs have counted, but for the reasons.
    pub(crate) fn totals(&self) -> Result<maps::Counters, Error> {
        let cpus = self
            .totals
            .get(&0, 0)
            .map_err(|error| Error::kernel(format!("read {COUNTERS}"), error))?;
        let mut totals = maps::Counters::default();
        for OneCpu(cpu) in cpus.iter() {
            add(&mut totals, cpu);
        }
        Ok(totals)
    }

    /// What all CPUs have counted of one row of interfaces.
    pub(crate) fn row(&self, row: u32) -> Result<maps::Reasons, Error> {
        sum(&self.rows(), row)
    }

    /// Empties a row into the one of those that have gone, so that the totals stay.
    pub(crate) fn retire(&self, row: u32) -> Result<(), Error> {
        let mut rows = self.rows();
        let (counted, gone) = (cpus(&rows, row)?, cpus(&rows, GONE_ROW)?);
        let mut both: Vec<OneRow> = gone.to_vec();
        for (total, count) in both.iter_mut().zip(counted.iter()) {
            add_reasons(&mut total.0, &count.0);
        }
        let none = vec![OneRow(maps::Reasons::default()); both.len()];
        store(&mut rows, GONE_ROW, both)?;
        store(&mut rows, row, none)
    }

    fn rows(&self) -> MutexGuard<'_, PerCpuArray<MapData, OneRow>> {
        // A panic between two rows leaves each of them whole.
        self.interfaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The totals with their names; `limits` are the present generation's.
    pub(crate) fn named(
        &self,
        page: &Page,
        limits: &[LoadedLimit],
        given: &Rows,
        interfaces: impl Iterator<Item = u32>,
    ) -> Result<Counters, Error> {
        let totals = self.totals()?;
        let rows = {
            let rows = self.rows();
            let all = (0..INTERFACE_ROWS).chain([GONE_ROW]);
            all.map(|row| sum(&rows, row))
                .collect::<Result<Vec<_>, _>>()?
        };
        let mut all = maps::Reasons::default();
        for row in &rows {
            add_reasons(&mut all, row);
        }
        let interfaces = interfaces.map(|ifindex| InterfaceCounters {
            ifindex,
            reasons: reasons(&rows[given.row(ifindex) as usize]),
        });
        Ok(Counters {
            reasons: reasons(&all),
            interfaces: interfaces.collect(),
            displaced: totals.displaced,
            contended: totals.contended,
            resets: totals.resets,
            samples_lost: totals.samples_lost,
            limits: limits
                .iter()
                .map(|limit| limit_counters(&totals, page, limit))
                .collect(),
        })
    }
}

fn cpus(rows: &PerCpuArray<MapData, OneRow>, row: u32) -> Result<PerCpuValues<OneRow>, Error> {
    rows.get(&row, 0)
        .map_err(|error| Error::kernel(format!("read {INTERFACES}"), error))
}

fn sum(rows: &PerCpuArray<MapData, OneRow>, row: u32) -> Result<maps::Reasons, Error> {
    let mut totals = maps::Reasons::default();
    for OneRow(cpu) in cpus(rows, row)?.iter() {
        add_reasons(&mut totals, cpu);
    }
    Ok(totals)
}

fn store(
    rows: &mut PerCpuArray<MapData, OneRow>,
    row: u32,
    values: Vec<OneRow>,
) -> Result<(), Error> {
    let act = || format!("write {INTERFACES}");
    let values = PerCpuValues::try_from(values).map_err(|error| Error::kernel(act(), error))?;
    rows.set(row, values, 0)
        .map_err(|error| Error::kernel(act(), error))
}

fn add(totals: &mut maps::Counters, cpu: &maps::Counters) {
    for (total, count) in totals.limits.iter_mut().zip(cpu.limits) {
        // A packet that is given back is taken off again, so that one CPU's word may be below zero for a moment.
        total.admitted = total.admitted.wrapping_add(count.admitted);
        total.dropped += count.dropped;
        total.shadowed += count.shadowed;
        total.cookies += count.cookies;
    }
    totals.displaced += cpu.displaced;
    totals.contended += cpu.contended;
    totals.resets += cpu.resets;
    totals.samples_lost += cpu.samples_lost;
}

fn add_reasons(totals: &mut maps::Reasons, counts: &maps::Reasons) {
    let packets = totals.packets.iter_mut().zip(counts.packets);
    let bytes = totals.bytes.iter_mut().zip(counts.bytes);
    for (total, count) in packets.chain(bytes) {
        *total += count;
    }
}

fn reasons(counts: &maps::Reasons) -> Vec<ReasonCounters> {
    let of = |reason: Reason| ReasonCounters {
        reason,
        packets: counts.packets[reason as usize],
        bytes: counts.bytes[reason as usize],
    };
    Reason::ALL.into_iter().map(of).collect()
}

fn limit_counters(totals: &maps::Counters, page: &Page, limit: &LoadedLimit) -> LimitCounters {
    let slot = limit.slot as usize;
    let [admitted, refused, shadowed, cookies] = page.bases(slot).map(|base| base.load(SeqCst));
    let counted = totals.limits[slot];
    let cookies = counted.cookies.wrapping_sub(cookies);
    LimitCounters {
        name: limit.name.clone(),
        admitted: counted.admitted.wrapping_sub(admitted),
        // A packet is refused before it is answered, and the words of a map are not read at once.
        dropped: counted
            .dropped
            .wrapping_sub(refused)
            .saturating_sub(cookies),
        cookies,
        shadowed: counted.shadowed.wrapping_sub(shadowed),
    }
}
