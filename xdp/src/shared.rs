//! What all generations share: the mapped memory, the control page and the counters.

use floodwall_limiter::{LimitId, Secret, block::Record, table::Set};
use floodwall_xdp_abi::maps::{BLOCK_RECORDS, BLOCKS, FLOWS};

use crate::{
    Counters, Error, Mapped, Rules,
    compile::{self, Table},
    control::Page,
    counters::Tally,
    pins::Maps,
    program::{self, Clock, Loaded},
    rows::Rows,
    slots,
};

/// The memory that the program shares with this process. Clones share it too.
#[derive(Clone, Debug)]
pub struct Memory {
    pub flows: Mapped<Set>,
    pub blocks: Mapped<Record>,
    /// What keys are hashed with. It lives as long as the pinned maps.
    pub secret: Secret,
}

/// The pinned maps, opened.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) memory: Memory,
    pub(crate) page: Page,
    pub(crate) tally: Tally,
    rows: Rows,
    /// Number of sets of the flow table.
    pub(crate) sets: u64,
}

impl Shared {
    pub(crate) fn over(maps: Maps) -> Result<Self, Error> {
        let page = Page::over(&maps.control)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the map's number of entries is a u32"
        )]
        let sets = maps.sets as usize;
        Ok(Self {
            memory: Memory {
                flows: Mapped::over(&maps.flows, FLOWS, sets)?,
                blocks: Mapped::over(&maps.blocks, BLOCKS, BLOCK_RECORDS as usize)?,
                secret: page.secret()?,
            },
            page,
            tally: Tally::over(maps.counters, maps.interfaces)?,
            rows: Rows::over(&maps.rows)?,
            sets: maps.sets,
        })
    }

    /// Gives interfaces that are to be filtered their counters.
    pub(crate) fn give_rows(&self, wanted: &[u32]) -> Result<(), Error> {
        self.rows.give(&self.page, &self.tally, wanted)
    }

    /// What was counted for these limits and interfaces.
    pub(crate) fn counters(
        &self,
        limits: &[LoadedLimit],
        interfaces: impl Iterator<Item = u32>,
    ) -> Result<Counters, Error> {
        self.tally.named(&self.page, limits, &self.rows, interfaces)
    }

    /// Loads a program for these rules; `present` are the limits of the one that is running.
    pub(crate) fn load(
        &self,
        maps: program::Maps<'_>,
        rules: &Rules,
        present: &[LimitId],
        clock: Clock,
    ) -> Result<Loaded, Error> {
        let secret = self.memory.secret;
        let ids = compile::ids(rules, secret)?;
        let slots = slots::assign(&self.page, &ids, present, &self.tally.totals()?);
        let limits = ids.into_iter().zip(slots.iter().copied()).collect();
        let table = Table {
            secret,
            sets: self.sets,
        };
        load(maps, rules, table, limits, clock)
    }
}

/// Loads a program whose limits have these ids and counter slots, in their order.
pub(crate) fn load(
    maps: program::Maps<'_>,
    rules: &Rules,
    table: Table,
    limits: Vec<(LimitId, u32)>,
    clock: Clock,
) -> Result<Loaded, Error> {
    let compiled = compile::compile(rules, table, &limits)?;
    let names = rules.limits.iter().map(|limit| limit.name.clone());
    let limits = limits
        .into_iter()
        .zip(names)
        .map(|((id, slot), name)| LoadedLimit { name, id, slot })
        .collect();
    Loaded::new(maps, compiled, limits, clock)
}

/// A limit of a loaded program.
#[derive(Clone, Debug)]
pub(crate) struct LoadedLimit {
    pub(crate) name: String,
    pub(crate) id: LimitId,
    /// Where it counts.
    pub(crate) slot: u32,
}
