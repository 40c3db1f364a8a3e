//! A line of those who wait for their turn at a rate: a pacer's memory of who is where.
//!
//! The times themselves are reserved in the flow table. The line knows who holds them, so that whoever leaves
//! gives a place back without a hole: those behind move up by one, and the last place is the one that is free
//! again. Only somebody who has to wait touches it; as long as anybody waits for a key, no newcomer can be
//! admitted past it, because the reserved times are later than the present.

use std::collections::BTreeMap;

use crate::{Nanos, sync::Mutex};

/// Everybody who waits under one limit, each with an alarm `A` that tells them of a better place.
#[derive(Debug)]
pub struct Line<A>(Mutex<Waiters<A>>);

#[derive(Debug)]
struct Waiters<A> {
    next: u64,
    /// By key, and in the order in which they came.
    places: BTreeMap<Ticket, Waiter<A>>,
}

#[derive(Debug)]
struct Waiter<A> {
    place: Place,
    alarm: A,
}

/// Who waits: under which key, and as which of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    key: u64,
    number: u64,
}

/// A reserved time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it is its holder's turn.
    pub turn: Nanos,
    /// The key's time after the reservation.
    pub charged: Nanos,
}

/// What came of asking for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// There is nothing to wait for.
    AtOnce(Place),
    Waits(Ticket),
    /// There are as many waiters as there may be; nothing was reserved.
    Full,
}

impl<A> Default for Line<A> {
    fn default() -> Self {
        Self(Mutex::new(Waiters {
            next: 0,
            places: BTreeMap::new(),
        }))
    }
}

impl<A: Clone> Line<A> {
    /// Reserves a place for `key` behind everybody who waits for it, unless `most` wait under this limit.
    ///
    /// # Errors
    /// Those of `reserve`, which charges the key's cell and tells the turn.
    pub fn enter<E>(
        &self,
        key: u64,
        most: usize,
        now: Nanos,
        alarm: A,
        reserve: impl FnOnce() -> Result<Place, E>,
    ) -> Result<Entered, E> {
        let mut waiters = self.0.lock();
        if waiters.places.len() >= most {
            return Ok(Entered::Full);
        }
        let place = reserve()?;
        if place.turn <= now {
            return Ok(Entered::AtOnce(place));
        }
        let ticket = Ticket {
            key,
            number: waiters.next,
        };
        waiters.next += 1;
        waiters.places.insert(ticket, Waiter { place, alarm });
        Ok(Entered::Waits(ticket))
    }

    /// When it is the holder's turn, as of now; none for a ticket that was given up.
    pub fn turn(&self, ticket: Ticket) -> Option<Nanos> {
        let waiters = self.0.lock();
        waiters.places.get(&ticket).map(|waiter| waiter.place.turn)
    }

    /// Takes one's turn, and tells which it was.
    pub fn go(&self, ticket: Ticket) -> Option<Place> {
        let waiter = self.0.lock().places.remove(&ticket)?;
        Some(waiter.place)
    }

    /// Leaves before one's turn. Those behind move up and are told by `wake`; the last place is handed to
    /// `give_back`, while nobody can reserve another. A place whose turn has come is lost.
    pub fn leave(
        &self,
        ticket: Ticket,
        now: Nanos,
        mut wake: impl FnMut(&A),
        give_back: impl FnOnce(Place),
    ) {
        let mut waiters = self.0.lock();
        let Some(left) = waiters.places.remove(&ticket) else {
            return;
        };
        if left.place.turn <= now {
            return;
        }
        let last = Ticket {
            number: u64::MAX,
            ..ticket
        };
        let mut free = left.place;
        for waiter in waiters
            .places
            .range_mut(ticket..=last)
            .map(|(_, waiter)| waiter)
        {
            std::mem::swap(&mut free, &mut waiter.place);
            wake(&waiter.alarm);
        }
        give_back(free);
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().places.len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
