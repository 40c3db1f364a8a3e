//! What a limit knows beside the flow table: who is under way, and who waits. It belongs to the limit's name, so
//! that a reload neither forgets a request nor lets one more in.

use std::sync::{Arc, OnceLock};

use floodwall_limiter::{
    FlowId, Nanos,
    clock::Clock,
    shape::{
        concurrency::{Entered, HoldTime, Keyed, Left, Lone},
        line::Line,
    },
};
use tokio::sync::Notify;

use crate::{clock::Monotonic, stats::LimitStats};

/// Wakes a request that waits.
pub type Alarm = Arc<Notify>;

/// The requests of one limit.
#[derive(Debug, Default)]
pub struct Live {
    /// Those that wait for their turn at a rate.
    pub line: Line<Alarm>,
    /// Those under way, where there is one budget for all.
    lone: Lone<Alarm>,
    /// Those under way by key; made when the first comes.
    keyed: OnceLock<Box<Keyed<Alarm>>>,
    hold_time: HoldTime,
}

/// Whose slots: those of all, or those of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    All,
    Key(u64),
}

impl Whose {
    pub fn of(flow: FlowId, by_key: bool) -> Self {
        if by_key {
            Self::Key(flow.fingerprint())
        } else {
            Self::All
        }
    }
}

impl Live {
    fn keyed(&self) -> &Keyed<Alarm> {
        self.keyed.get_or_init(Box::default)
    }

    /// Takes a slot, or a place in line if there is room for it.
    pub fn enter(&self, whose: Whose, most: u32, longest: usize, alarm: &Alarm) -> Entered {
        let holds = match whose {
            Whose::All => self.lone.try_enter(most),
            Whose::Key(key) => self.keyed().try_enter(key, most),
        };
        match whose {
            _ if holds => Entered::Holds,
            _ if longest == 0 => Entered::Full,
            Whose::All => self.lone.enter(most, longest, Arc::clone(alarm)),
            Whose::Key(key) => self.keyed().enter(key, most, longest, Arc::clone(alarm)),
        }
    }

    /// Leaves the line for a slot.
    pub fn leave(&self, whose: Whose, number: u64) -> Left {
        match whose {
            Whose::All => self.lone.leave(number),
            Whose::Key(key) => self.keyed().leave(key, number),
        }
    }

    fn release(&self, whose: Whose, most: u32) {
        let grant = |alarm: Alarm| alarm.notify_one();
        match whose {
            Whose::All => self.lone.release(most, grant),
            Whose::Key(key) => self.keyed().release(key, most, grant),
        }
    }

    /// Slots that are taken from the same budget.
    pub fn held(&self, whose: Whose) -> u64 {
        match whose {
            Whose::All => self.lone.held(),
            Whose::Key(key) => self.keyed().held(key).into(),
        }
    }

    /// When one of `most` slots will probably be free, after all who wait for one; they are taken now.
    pub fn until_free(&self, whose: Whose, most: u32) -> Nanos {
        self.hold_time.until_free(most, self.line_of(whose))
    }

    /// How many wait for a slot of the same budget.
    pub fn line_of(&self, whose: Whose) -> u64 {
        match whose {
            Whose::All => self.lone.waiting(),
            Whose::Key(key) => self.keyed().waiting(key),
        }
    }

    /// Requests under way, over all keys.
    pub fn in_flight(&self) -> u64 {
        let keyed = self.keyed.get().map_or(0, |keyed| keyed.all_held());
        self.lone.held() + keyed
    }

    /// Requests that wait, for a turn or for a slot.
    pub fn waiting(&self) -> u64 {
        let keyed = self.keyed.get().map_or(0, |keyed| keyed.all_waiting());
        self.line.waiting() as u64 + self.lone.waiting() + keyed
    }
}

/// A slot that is given back when this is dropped, however its request ends.
#[derive(Debug)]
pub struct Slot {
    stats: Arc<LimitStats>,
    whose: Whose,
    most: u32,
    since: Nanos,
}

impl Slot {
    /// Takes charge of a slot that was entered at `now`.
    pub fn entered(stats: &Arc<LimitStats>, whose: Whose, most: u32, now: Nanos) -> Self {
        Self {
            stats: Arc::clone(stats),
            whose,
            most,
            since: now,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let live = &self.stats.live;
        live.hold_time.note(Monotonic.now().minus(self.since));
        live.release(self.whose, self.most);
    }
}
