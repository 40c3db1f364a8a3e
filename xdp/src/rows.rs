//! Which interface counts where: an interface keeps its row over reloads and restarts, and a new one begins at zero.

use std::sync::atomic::{
    AtomicU8, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use aya::maps::MapData;
use floodwall_xdp_abi::maps::{INTERFACE_ROWS, ROW_INDICES, ROWS};

use crate::{Error, Mapped, control::Page, counters::Tally};

/// The row of each interface, by its number, as the program reads it.
#[derive(Debug)]
pub(crate) struct Rows(Mapped<AtomicU8>);

/// The row of all interfaces without one of their own.
const SHARED: u8 = 0;

impl Rows {
    pub(crate) fn over(map: &MapData) -> Result<Self, Error> {
        Mapped::over(map, ROWS, ROW_INDICES).map(Self)
    }

    /// Gives each of the wanted interfaces a row of its own: the one it has, or one that was never used, or one
    /// whose interface is not wanted any more. Interfaces beyond the 63rd share row zero.
    ///
    /// What is being counted in a row while it changes hands may be lost: the packets of some microseconds of
    /// an interface that is let go of.
    ///
    /// # Errors
    /// [`Error::Kernel`] when a row cannot be emptied.
    pub(crate) fn give(&self, page: &Page, tally: &Tally, wanted: &[u32]) -> Result<(), Error> {
        let holders = page.interfaces();
        for ifindex in wanted {
            let Some(of) = self.of(*ifindex) else {
                continue;
            };
            if of.load(Relaxed) != SHARED {
                continue;
            }
            let Some(row) = vacant(holders, wanted) else {
                return Ok(());
            };
            self.vacate(&holders[usize::from(row)], tally, row)?;
            holders[usize::from(row)].store(u64::from(*ifindex), SeqCst);
            of.store(row, SeqCst);
        }
        Ok(())
    }

    /// Where an interface counts.
    pub(crate) fn row(&self, ifindex: u32) -> u32 {
        let of = self.of(ifindex);
        of.map_or(SHARED, |row| row.load(Relaxed)).into()
    }

    /// Takes a row from the interface that has it.
    fn vacate(&self, holder: &AtomicU64, tally: &Tally, row: u8) -> Result<(), Error> {
        let former = u32::try_from(holder.load(SeqCst)).unwrap_or(0);
        if former == 0 {
            return Ok(());
        }
        if let Some(of) = self.of(former) {
            of.store(SHARED, SeqCst);
        }
        tally.retire(row.into())
    }

    fn of(&self, ifindex: u32) -> Option<&AtomicU8> {
        let index = usize::try_from(ifindex).ok()?;
        self.0.as_ref().get(index)
    }
}

/// The first row that nobody has, or else the first whose interface is not wanted.
fn vacant(holders: &[AtomicU64], wanted: &[u32]) -> Option<u8> {
    let holder = |row: u8| holders[usize::from(row)].load(SeqCst);
    let is_wanted = |ifindex: u64| wanted.iter().any(|wanted| u64::from(*wanted) == ifindex);
    let mut own = OWN_ROWS;
    own.find(|row| holder(*row) == 0)
        .or_else(|| { OWN_ROWS }.find(|row| !is_wanted(holder(*row))))
}

#[expect(clippy::cast_possible_truncation, reason = "there are 64 rows")]
const OWN_ROWS: std::ops::Range<u8> = SHARED + 1..INTERFACE_ROWS as u8;
