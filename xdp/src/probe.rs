//! What would become of a packet: a copy of the program, with a copy of the state, that nobody else sees.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use aya::maps::MapData;
use floodwall_xdp_abi::{
    Reason,
    maps::{self, CONTROL, COUNTERS, Control, FLOWS, INTERFACES, SET_BYTES},
};

use crate::{Error, Loaded, Mapped, Outcome, counters::Tally, shared::LoadedLimit};

/// A copy of the pre-filter as it was at some moment. Packets that are run through it charge its own budgets
/// and are counted nowhere, so that a capture meets the limits as it would have met them.
#[derive(Debug)]
pub struct Probe {
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

impl Probe {
    /// Copies the state from the pinned maps in `folder` into those of a program that was loaded without them.
    pub(crate) fn of(mut program: Loaded, folder: &Path, sets: u64) -> Result<Self, Error> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the map's number of entries is a u32"
        )]
        let flows = sets as usize * SET_BYTES / 8;
        copy(&program, folder, FLOWS, flows)?;
        copy(&program, folder, CONTROL, size_of::<Control>() / 8)?;
        let tally = Tally::over(
            program.take_counts(COUNTERS)?,
            program.take_counts(INTERFACES)?,
        )?;
        let limits = tally.totals()?;
        Ok(Self {
            program,
            tally,
            limits,
        })
    }

    /// Runs a frame, as if it came in over an interface of this network namespace (its number), or else over
    /// the loopback.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel does not run it: it is shorter than an Ethernet header, or there is no
    /// such interface.
    pub fn run(&mut self, frame: &[u8], ifindex: Option<u32>) -> Result<Fate, Error> {
        let ifindex = ifindex.unwrap_or(LOOPBACK);
        let before = self.tally.of_interface(ifindex)?;
        let run = self.program.test_run_over(frame, ifindex)?;
        let after = self.tally.of_interface(ifindex)?;
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
