//! One budget for all.

use std::collections::VecDeque;

use super::{Entered, Left};
use crate::sync::{AtomicU64, Mutex, Ordering::SeqCst, exchange};

/// The slots of one key, and the line for them; each in it has an alarm `A`.
///
/// The word holds the slots taken (low half) and the length of the line (high half), so that one exchange decides
/// that a slot is free *and* nobody waits for it. The length changes only under the line's lock.
#[derive(Debug)]
pub struct Lone<A> {
    word: AtomicU64,
    line: Mutex<Line<A>>,
}

#[derive(Debug)]
struct Line<A> {
    next: u64,
    waiters: VecDeque<(u64, A)>,
}

const WAITER: u64 = 1 << 32;

const fn held(word: u64) -> u64 {
    word & (WAITER - 1)
}

const fn waiting(word: u64) -> u64 {
    word >> 32
}

impl<A> Default for Lone<A> {
    fn default() -> Self {
        Self {
            word: AtomicU64::new(0),
            line: Mutex::new(Line {
                next: 0,
                waiters: VecDeque::new(),
            }),
        }
    }
}

impl<A> Lone<A> {
    /// Takes a slot of `most` if one is free and nobody waits for it.
    pub fn try_enter(&self, most: u32) -> bool {
        loop {
            let word = self.word.load(SeqCst);
            if waiting(word) > 0 || held(word) >= u64::from(most) {
                return false;
            }
            if exchange(&self.word, word, word + 1) {
                return true;
            }
        }
    }

    /// Takes a slot, or else a place in the line unless `longest` are in it.
    pub fn enter(&self, most: u32, longest: usize, alarm: A) -> Entered {
        if self.try_enter(most) {
            return Entered::Holds;
        }
        let mut line = self.line.lock();
        loop {
            let word = self.word.load(SeqCst);
            if waiting(word) == 0 && held(word) < u64::from(most) {
                if exchange(&self.word, word, word + 1) {
                    return Entered::Holds;
                }
            } else if line.waiters.len() >= longest {
                return Entered::Full;
            } else if exchange(&self.word, word, word + WAITER) {
                let number = line.next;
                line.next += 1;
                line.waiters.push_back((number, alarm));
                return Entered::Waits(number);
            }
        }
    }

    /// Gives a slot back, to the first in line if anybody waits. `grant` is told who has one now: more than one
    /// after `most` was raised.
    pub fn release(&self, most: u32, grant: impl FnMut(A)) {
        loop {
            let word = self.word.load(SeqCst);
            if waiting(word) > 0 {
                return self.hand_over(most, grant);
            }
            if exchange(&self.word, word, word - 1) {
                return;
            }
        }
    }

    fn hand_over(&self, most: u32, mut grant: impl FnMut(A)) {
        let mut line = self.line.lock();
        self.change(|word| word - 1);
        while held(self.word.load(SeqCst)) < u64::from(most) {
            let Some((_, alarm)) = line.waiters.pop_front() else {
                return;
            };
            self.change(|word| word - WAITER + 1);
            grant(alarm);
        }
    }

    /// Leaves the line.
    pub fn leave(&self, number: u64) -> Left {
        let mut line = self.line.lock();
        let Ok(at) = line
            .waiters
            .binary_search_by_key(&number, |(number, _)| *number)
        else {
            return Left::Granted;
        };
        line.waiters.remove(at);
        self.change(|word| word - WAITER);
        Left::Line
    }

    /// Slots taken.
    pub fn held(&self) -> u64 {
        held(self.word.load(SeqCst))
    }

    /// How many wait.
    pub fn waiting(&self) -> u64 {
        waiting(self.word.load(SeqCst))
    }

    fn change(&self, to: impl Fn(u64) -> u64) {
        loop {
            let word = self.word.load(SeqCst);
            if exchange(&self.word, word, to(word)) {
                return;
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_of_three_is_full_and_a_release_makes_room() {
        let slots = Lone::<u32>::default();
        assert!((0..3).all(|_| slots.try_enter(3)));
        assert_eq!(slots.enter(3, 0, 9), Entered::Full);
        slots.release(3, |_| panic!("nobody waits"));
        assert_eq!(slots.enter(3, 0, 9), Entered::Holds);
        assert_eq!((slots.held(), slots.waiting()), (3, 0));
    }

    #[test]
    fn slots_go_to_the_line_in_order_and_nobody_overtakes() {
        let slots = Lone::<u32>::default();
        assert!(slots.try_enter(1));
        let numbers = [10, 11, 12].map(|alarm| match slots.enter(1, 3, alarm) {
            Entered::Waits(number) => number,
            other => panic!("{other:?}"),
        });
        assert_eq!(slots.enter(1, 3, 13), Entered::Full);
        assert_eq!(slots.leave(numbers[1]), Left::Line);
        let mut granted = Vec::new();
        slots.release(1, |alarm| granted.push(alarm));
        assert!(
            !slots.try_enter(1) && !slots.try_enter(2),
            "12 is before any newcomer"
        );
        slots.release(1, |alarm| granted.push(alarm));
        assert_eq!(granted, [10, 12]);
        assert_eq!(slots.leave(numbers[2]), Left::Granted);
        slots.release(1, |_| panic!("nobody waits"));
        assert_eq!((slots.held(), slots.waiting()), (0, 0));
    }

    #[test]
    fn more_slots_let_more_in_and_fewer_let_nobody_in_until_there_is_room() {
        let slots = Lone::<u32>::default();
        assert!(slots.try_enter(1));
        for alarm in 0..4 {
            assert!(matches!(slots.enter(1, 9, alarm), Entered::Waits(_)));
        }
        let mut granted = Vec::new();
        slots.release(3, |alarm| granted.push(alarm));
        assert_eq!(granted, [0, 1, 2]);
        slots.release(2, |_| panic!("two are under way"));
        slots.release(2, |alarm| granted.push(alarm));
        assert_eq!((granted.len(), slots.held()), (4, 2));
    }
}
