//! A budget for each key.

use std::collections::{HashMap, VecDeque};

use super::{Entered, Left};
use crate::sync::Mutex;

/// The slots of many keys, by their hash. A key that has no request under way has no entry.
#[derive(Debug)]
pub struct Keyed<A> {
    shards: Box<[Shard<A>]>,
}

type Shard<A> = Mutex<HashMap<u64, Slots<A>>>;

#[derive(Debug)]
struct Slots<A> {
    held: u32,
    next: u64,
    line: VecDeque<(u64, A)>,
}

/// Locks to share: enough that threads rarely meet at one.
const SHARDS: usize = if cfg!(loom) { 1 } else { 64 };

impl<A> Default for Keyed<A> {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
        }
    }
}

impl<A> Slots<A> {
    const NONE: Self = Self {
        held: 0,
        next: 0,
        line: VecDeque::new(),
    };
}

impl<A> Keyed<A> {
    /// Takes a slot of `most` if one is free and nobody waits for it.
    pub fn try_enter(&self, key: u64, most: u32) -> bool {
        if most == 0 {
            return false;
        }
        let mut keys = self.shard(key).lock();
        let slots = keys.entry(key).or_insert(Slots::NONE);
        let free = slots.line.is_empty() && slots.held < most;
        slots.held += u32::from(free);
        free
    }

    /// Takes a slot, or else a place in the line unless `longest` are in it.
    pub fn enter(&self, key: u64, most: u32, longest: usize, alarm: A) -> Entered {
        if most == 0 {
            return Entered::Full;
        }
        let mut keys = self.shard(key).lock();
        let slots = keys.entry(key).or_insert(Slots::NONE);
        if slots.line.is_empty() && slots.held < most {
            slots.held += 1;
            return Entered::Holds;
        }
        if slots.line.len() >= longest {
            return Entered::Full;
        }
        let number = slots.next;
        slots.next += 1;
        slots.line.push_back((number, alarm));
        Entered::Waits(number)
    }

    /// Gives a slot back, to the first in line if anybody waits. `grant` is told who has one now: more than one
    /// after `most` was raised.
    pub fn release(&self, key: u64, most: u32, mut grant: impl FnMut(A)) {
        let mut keys = self.shard(key).lock();
        let Some(slots) = keys.get_mut(&key) else {
            return;
        };
        slots.held = slots.held.saturating_sub(1);
        while slots.held < most
            && let Some((_, alarm)) = slots.line.pop_front()
        {
            slots.held += 1;
            grant(alarm);
        }
        if slots.held == 0 && slots.line.is_empty() {
            keys.remove(&key);
        }
    }

    /// Leaves the line.
    pub fn leave(&self, key: u64, number: u64) -> Left {
        let mut keys = self.shard(key).lock();
        let Some(slots) = keys.get_mut(&key) else {
            return Left::Granted;
        };
        let Ok(at) = slots
            .line
            .binary_search_by_key(&number, |(number, _)| *number)
        else {
            return Left::Granted;
        };
        slots.line.remove(at);
        if slots.held == 0 && slots.line.is_empty() {
            keys.remove(&key);
        }
        Left::Line
    }

    /// Slots that one key has taken.
    pub fn held(&self, key: u64) -> u32 {
        self.shard(key)
            .lock()
            .get(&key)
            .map_or(0, |slots| slots.held)
    }

    /// How many wait for one key's slots.
    pub fn waiting(&self, key: u64) -> u64 {
        let waiting = |slots: &Slots<A>| slots.line.len() as u64;
        self.shard(key).lock().get(&key).map_or(0, waiting)
    }

    /// How many keys have an entry.
    pub fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Slots that all keys have taken.
    pub fn all_held(&self) -> u64 {
        self.sum(|slots| slots.held.into())
    }

    /// How many wait, over all keys.
    pub fn all_waiting(&self) -> u64 {
        self.sum(|slots| slots.line.len() as u64)
    }

    fn sum(&self, of: impl Fn(&Slots<A>) -> u64) -> u64 {
        let of_shard = |shard: &Shard<A>| shard.lock().values().map(&of).sum::<u64>();
        self.shards.iter().map(of_shard).sum()
    }

    fn shard(&self, key: u64) -> &Shard<A> {
        // A key is a keyed hash: its high bits are as good as any.
        let at = usize::try_from(key >> 32).unwrap_or(0) % self.shards.len();
        &self.shards[at]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_slots_and_leaves_nothing_behind() {
        let slots = Keyed::<u32>::default();
        for key in 0..1000 {
            assert!((0..3).all(|_| slots.try_enter(key << 30, 3)));
            assert!(!slots.try_enter(key << 30, 3));
        }
        assert_eq!(slots.keys(), 1000);
        for key in 0..1000 {
            (0..3).for_each(|_| slots.release(key << 30, 3, |_| panic!("nobody waits")));
        }
        assert_eq!(slots.keys(), 0);
    }

    #[test]
    fn slots_go_to_the_line_in_order() {
        let slots = Keyed::<u32>::default();
        assert_eq!(slots.enter(7, 1, 2, 0), Entered::Holds);
        assert_eq!(slots.enter(7, 1, 2, 1), Entered::Waits(0));
        assert_eq!(slots.enter(7, 1, 2, 2), Entered::Waits(1));
        assert_eq!(slots.enter(7, 1, 2, 3), Entered::Full);
        assert!(!slots.try_enter(7, 5), "two are before any newcomer");
        assert_eq!((slots.waiting(7), slots.waiting(8)), (2, 0));
        assert_eq!(slots.leave(7, 0), Left::Line);
        let mut granted = Vec::new();
        slots.release(7, 1, |alarm| granted.push(alarm));
        assert_eq!((granted, slots.leave(7, 1)), (vec![2], Left::Granted));
        slots.release(7, 1, |_| panic!("nobody waits"));
        assert_eq!((slots.keys(), slots.held(7)), (0, 0));
    }

    #[test]
    fn no_slots_at_all_take_no_memory() {
        let slots = Keyed::<u32>::default();
        assert!(!slots.try_enter(1, 0));
        assert_eq!(slots.enter(1, 0, 9, 0), Entered::Full);
        assert_eq!(slots.keys(), 0);
    }
}
