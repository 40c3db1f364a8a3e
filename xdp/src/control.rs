//! The control page: secret, lease and generation, in memory that the program reads.

use std::{
    mem::offset_of,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use aya::maps::MapData;
use floodwall_limiter::{Nanos, Secret};
use floodwall_xdp_abi::maps::{CONTROL, Control, INTERFACE_ROWS, LimitCount, SLOTS};

use crate::{Error, Mapped};

/// The mapped page.
#[derive(Clone, Debug)]
pub(crate) struct Page(Mapped<AtomicU64>);

impl Page {
    pub(crate) fn over(map: &MapData) -> Result<Self, Error> {
        Mapped::over(map, CONTROL, Self::WORDS).map(Self)
    }

    /// A page that is mapped already.
    pub(crate) const fn of(words: Mapped<AtomicU64>) -> Self {
        Self(words)
    }

    /// How many words a page has.
    pub(crate) const WORDS: usize = size_of::<Control>() / 8;

    /// The secret of these maps. It is drawn when there is none yet.
    pub(crate) fn secret(&self) -> Result<Secret, Error> {
        let [k0, k1] = [0, 1].map(|word| self.word(offset_of!(Control, secret) + word * 8));
        if k0.load(SeqCst) == 0 && k1.load(SeqCst) == 0 {
            k0.store(draw()?, SeqCst);
            k1.store(draw()?, SeqCst);
        }
        Ok(Secret {
            k0: k0.load(SeqCst),
            k1: k1.load(SeqCst),
        })
    }

    pub(crate) fn lease_until(&self) -> &AtomicU64 {
        self.word(offset_of!(Control, lease_until))
    }

    pub(crate) fn generation(&self) -> &AtomicU64 {
        self.word(offset_of!(Control, generation))
    }

    pub(crate) fn turn_clock(&self, now: Nanos) {
        self.word(offset_of!(Control, clock)).store(now.0, SeqCst);
    }

    /// Which limit has each counter slot.
    pub(crate) fn slots(&self) -> &[AtomicU64] {
        let first = offset_of!(Control, slots) / 8;
        &self.0.as_ref()[first..first + SLOTS]
    }

    /// What each slot had counted when it was given to its present limit: admitted, dropped, shadowed,
    /// cookies.
    pub(crate) fn bases(&self, slot: usize) -> [&AtomicU64; 4] {
        let base = offset_of!(Control, bases) + slot * size_of::<LimitCount>();
        [0, 8, 16, 24].map(|word| self.word(base + word))
    }

    /// Which interface, by its number, has each row of counters.
    pub(crate) fn interfaces(&self) -> &[AtomicU64] {
        let first = offset_of!(Control, interfaces) / 8;
        &self.0.as_ref()[first..first + INTERFACE_ROWS as usize]
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        &self.0.as_ref()[offset / 8]
    }
}

/// Draws a secret for maps of one's own.
pub(crate) fn new_secret() -> Result<Secret, Error> {
    Ok(Secret {
        k0: draw()?,
        k1: draw()?,
    })
}

fn draw() -> Result<u64, Error> {
    let mut word = [0; 8];
    getrandom::fill(&mut word).map_err(|error| Error::kernel("draw a secret", error))?;
    Ok(u64::from_ne_bytes(word))
}
