//! What would become of a packet: a copy of the program, with a copy of the state, that nobody else sees.

use std::{
    path::Path,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
};

use aya::maps::MapData;
use floodwall_limiter::{FlowTable, Nanos};
use floodwall_xdp_abi::{
    Reason,
    maps::{self, CONTROL, COUNTERS, FLOWS, INTERFACES, SET_BYTES},
};

use crate::{
    Clock, Error, Loaded, Mapped, Outcome, Rules, Settings,
    compile::{self, Table},
    control::{self, Page},
    counters::Tally,
    pins,
    program::Maps,
    shared::{self, LoadedLimit},
};

/// A copy of the pre-filter as it was at some moment. Packets that are run through it charge its own budgets
/// and are counted nowhere, so that a capture meets the limits as it would have met them.
#[derive(Debug)]
pub struct Probe {
    page: Page,
    program: Loaded,
    tally: Tally,
    limits: maps::Counters,
}

/// What became of a packet in a probe, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    pub outcome: Outcome,
    pub reason: Reason,
    /// The limit that refused it, if one did.
    pub limit: Option<String>,
    /// The limits in shadow that would have refused it.
    pub shadowed: Vec<String>,
}

/// The interface that a packet comes in over when nothing is said of it: the loopback.
const LOOPBACK: u32 = 1;

/// Where a probe counts: none of its interfaces was given a row.
const ONLY_ROW: u32 = 0;

impl Probe {
    /// A probe for these rules that knows of no packet and no block yet.
    ///
    /// # Errors
    /// As [`crate::PreFilter::load`].
    ///
    /// # Minimum kernel version
    /// 5.18.
    pub fn fresh(settings: &Settings, rules: &Rules) -> Result<Self, Error> {
        let table = Table {
            secret: control::new_secret()?,
            sets: FlowTable::<()>::sets_for(settings.sources),
        };
        Self::over(load(rules, table)?)
    }

    /// A probe for these rules that begins with what an instance has pinned: its debts and blocks. Nothing of
    /// the instance is touched, whether a process holds it or not.
    ///
    /// # Errors
    /// As [`crate::PreFilter::load`], and when nothing is pinned.
    pub fn of_instance(settings: &Settings, rules: &Rules) -> Result<Self, Error> {
        let folder = pins::path(settings);
        let open = |name: &str| {
            MapData::from_pin(folder.join(name))
                .map_err(|error| Error::kernel(format!("open the pinned {name}"), error))
        };
        let flows = open(FLOWS)?
            .info()
            .map_err(|error| Error::kernel(format!("ask for the size of {FLOWS}"), error))?;
        let table = Table {
            secret: Page::over(&open(CONTROL)?)?.secret()?,
            sets: flows.max_entries().into(),
        };
        Self::of(load(rules, table)?, &folder, table.sets)
    }

    /// Copies the state from the pinned maps in `folder` into those of a program that was loaded without them.
    pub(crate) fn of(program: Loaded, folder: &Path, sets: u64) -> Result<Self, Error> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the map's number of entries is a u32"
        )]
        let flows = sets as usize * SET_BYTES / 8;
        copy(&program, folder, FLOWS, flows)?;
        copy(&program, folder, CONTROL, Page::WORDS)?;
        Self::over(program)
    }

    fn over(mut program: Loaded) -> Result<Self, Error> {
        let page = Page::of(program.words(CONTROL, Page::WORDS)?);
        // Nobody has to renew the lease of a program that filters nothing.
        page.lease_until().store(Nanos::MAX.0, SeqCst);
        let tally = Tally::over(
            program.take_counts(COUNTERS)?,
            program.take_counts(INTERFACES)?,
        )?;
        let limits = tally.totals()?;
        Ok(Self {
            page,
            program,
            tally,
            limits,
        })
    }

    /// Sets the time, on `CLOCK_MONOTONIC`, at which the next packets come in. It must not go back, and the
    /// probe's state is that of its making. A probe of [`crate::PreFilter::probe`] has the kernel's time.
    pub fn turn_clock(&self, now: Nanos) {
        self.page.turn_clock(now);
    }

    /// Runs a frame, as if it came in over an interface of this network namespace (its number), or else over
    /// the loopback.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel does not run it: it is shorter than an Ethernet header, or there is no
    /// such interface.
    pub fn run(&mut self, frame: &[u8], ifindex: Option<u32>) -> Result<Fate, Error> {
        let ifindex = ifindex.unwrap_or(LOOPBACK);
        let before = self.tally.row(ONLY_ROW)?;
        let run = self.program.test_run_over(frame, ifindex)?;
        let after = self.tally.row(ONLY_ROW)?;
        let limits = std::mem::replace(&mut self.limits, self.tally.totals()?);
        let grown =
            |reason: &Reason| after.packets[*reason as usize] > before.packets[*reason as usize];
        let reason = Reason::ALL.into_iter().find(grown);
        let counted = |limit: &LoadedLimit| {
            let slot = limit.slot as usize;
            (self.limits.limits[slot], limits.limits[slot])
        };
        let all = self.program.limits().iter();
        let names = |which: fn(maps::LimitCount) -> u64| {
            let grown = all.clone().filter(move |limit| {
                let (after, before) = counted(limit);
                which(after) > which(before)
            });
            grown.map(|limit| limit.name.clone())
        };
        Ok(Fate {
            outcome: run.action,
            reason: reason.ok_or(Error::Object { what: INTERFACES })?,
            limit: names(|count| count.dropped).next(),
            shadowed: names(|count| count.shadowed).collect(),
        })
    }
}

/// Loads a program on maps of its own, with the time that it is told.
fn load(rules: &Rules, table: Table) -> Result<Loaded, Error> {
    let ids = compile::ids(rules, table.secret)?;
    // Each has a counter of its own; which one means nothing to anybody else.
    let limits = ids.into_iter().zip(0..).collect();
    let maps = Maps::Own { sets: table.sets };
    shared::load(maps, rules, table, limits, Clock::Injected)
}

/// Copies the words of a pinned map into the program's own of the same name.
///
/// A cell that is charged meanwhile may be copied half before and half after, as if it had changed hands.
fn copy(program: &Loaded, folder: &Path, name: &'static str, words: usize) -> Result<(), Error> {
    let pinned = MapData::from_pin(folder.join(name))
        .map_err(|error| Error::kernel(format!("open the pinned {name}"), error))?;
    let from = Mapped::<AtomicU64>::over(&pinned, name, words)?;
    let to = program.words(name, words)?;
    for (to, from) in to.as_ref().iter().zip(from.as_ref()) {
        to.store(from.load(Relaxed), Relaxed);
    }
    Ok(())
}
