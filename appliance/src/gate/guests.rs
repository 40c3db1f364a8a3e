//! Who is in.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};

use floodwall_limiter::shape::gate::Places;
use papaya::HashMap;
use tokio::sync::Notify;

use super::Refused;
use crate::stats::Count;

/// Those who were let in by the gate of one name, over all generations.
#[derive(Debug, Default)]
pub struct Guests {
    known: HashMap<String, Arc<Guest>>,
    places: Places,
    pub counts: Counts,
}

/// Somebody who has a place, or is about to.
#[derive(Debug, Default)]
pub(super) struct Guest {
    standing: AtomicU8,
    settled: Notify,
}

/// What a [`Guest`] is. It goes forward only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Asks for a place, which takes a moment.
    Asking = 0,
    /// Has a place; not durable yet.
    Pending = 1,
    In = 2,
    /// Was refused a place, and is forgotten.
    Full = 3,
    /// Could not be made durable, and is forgotten.
    Lost = 4,
}

/// What became of somebody's wish for a place.
#[derive(Debug)]
pub(super) enum Claim {
    /// It is theirs, and to be made durable.
    First(Arc<Guest>),
    /// Somebody else asked for it in their name.
    Known(Arc<Guest>),
    Full,
}

/// How often a gate said what.
#[derive(Debug, Default)]
pub struct Counts {
    pub let_in: Count,
    pub before: Count,
    pub after: Count,
    pub not_drawn: Count,
    pub nameless: Count,
    pub full: Count,
    pub unrecorded: Count,
}

impl Counts {
    pub(super) fn of(&self, entered: Result<(), Refused>) -> &Count {
        match entered {
            Ok(()) => &self.let_in,
            Err(Refused::Before(_)) => &self.before,
            Err(Refused::After) => &self.after,
            Err(Refused::NotDrawn) => &self.not_drawn,
            Err(Refused::Nameless) => &self.nameless,
            Err(Refused::Full) => &self.full,
            Err(Refused::Unrecorded) => &self.unrecorded,
        }
    }
}

impl Guest {
    /// Somebody who is in from the beginning.
    fn settled_in() -> Arc<Self> {
        let guest = Self::default();
        guest.settle(Standing::In);
        Arc::new(guest)
    }

    /// Says what has become of it, to everybody who waits for that.
    pub(super) fn settle(&self, standing: Standing) {
        self.standing.store(standing as u8, SeqCst);
        self.settled.notify_waiters();
    }

    /// Waits until it is known whether the guest is in.
    ///
    /// # Errors
    /// [`Refused`] when not.
    pub(super) async fn settled(&self) -> Result<(), Refused> {
        // Whoever is in waits for nothing, and asks no list of those who wait.
        if let Some(settled) = self.outcome() {
            return settled;
        }
        loop {
            let mut settled = std::pin::pin!(self.settled.notified());
            // Before the look, so that what happens after it is heard.
            settled.as_mut().enable();
            match self.outcome() {
                Some(outcome) => return outcome,
                None => settled.await,
            }
        }
    }

    /// What has become of it; none while that is not known.
    fn outcome(&self) -> Option<Result<(), Refused>> {
        match self.standing() {
            Standing::Asking | Standing::Pending => None,
            Standing::In => Some(Ok(())),
            Standing::Full => Some(Err(Refused::Full)),
            Standing::Lost => Some(Err(Refused::Unrecorded)),
        }
    }

    fn standing(&self) -> Standing {
        match self.standing.load(SeqCst) {
            0 => Standing::Asking,
            1 => Standing::Pending,
            2 => Standing::In,
            3 => Standing::Full,
            _ => Standing::Lost,
        }
    }
}

impl Guests {
    /// The guest of this name, in or about to be.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Guest>> {
        self.known.pin().get(name).map(Arc::clone)
    }

    /// Asks for a place of `most`. The name is entered first and the place taken second, so that one guest who asks
    /// twice at a time never holds two.
    pub(super) fn claim(&self, name: &str, most: Option<u64>) -> Claim {
        let known = self.known.pin();
        let guest = Arc::new(Guest::default());
        match known.try_insert(name.to_owned(), Arc::clone(&guest)) {
            Err(taken) => Claim::Known(Arc::clone(taken.current)),
            Ok(_) if self.places.try_take(most) => {
                guest.standing.store(Standing::Pending as u8, SeqCst);
                Claim::First(guest)
            }
            Ok(_) => {
                known.remove(name);
                guest.settle(Standing::Full);
                Claim::Full
            }
        }
    }

    /// Forgets a guest, unless it is settled that they are in.
    pub(super) fn lose_unsettled(&self, name: &str, guest: &Guest) {
        if guest.standing() == Standing::Pending {
            self.known.pin().remove(name);
            self.places.give_back();
            guest.settle(Standing::Lost);
        }
    }

    /// Puts somebody in, whatever the bound. Tells whether they were not in already.
    pub(super) fn put_in(&self, name: &str) -> bool {
        let known = self.known.pin();
        loop {
            let Err(taken) = known.try_insert(name.to_owned(), Guest::settled_in()) else {
                self.places.take();
                return true;
            };
            match taken.current.standing() {
                Standing::In => return false,
                // The place is theirs already.
                Standing::Pending => {
                    taken.current.settle(Standing::In);
                    return true;
                }
                // A few instructions of another thread, after which the name has a place or is free.
                Standing::Asking | Standing::Full | Standing::Lost => std::thread::yield_now(),
            }
        }
    }

    /// Puts everybody out who is in, and tells how many that were. Those who are about to be in stay.
    pub(super) fn clear(&self) -> usize {
        let known = self.known.pin();
        let is_in = |guest: &Arc<Guest>| guest.standing() == Standing::In;
        let inside: Vec<&String> = (known.iter().filter(|(_, guest)| is_in(guest)))
            .map(|(name, _)| name)
            .collect();
        let mut count = 0;
        for name in inside {
            // Whoever takes a name out gives its place back, when two clear at one time.
            if let Ok(Some(_)) = known.remove_if(name, |_, guest| is_in(guest)) {
                self.places.give_back();
                count += 1;
            }
        }
        count
    }

    /// How many places are taken.
    pub fn admitted(&self) -> u64 {
        self.places.taken()
    }

    pub(super) fn is_full(&self, most: Option<u64>) -> bool {
        most.is_some_and(|most| self.places.taken() >= most)
    }

    /// The names of those who are in, in order.
    pub fn names(&self) -> Vec<String> {
        let known = self.known.pin();
        let mut names: Vec<String> = known
            .iter()
            .filter(|(_, guest)| guest.standing() == Standing::In)
            .map(|(name, _)| name.clone())
            .collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn one_name_asked_for_by_eight_threads_takes_one_place() {
        for _ in 0..200 {
            let (guests, start) = (Guests::default(), Barrier::new(8));
            let first: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            matches!(guests.claim("a", Some(1)), Claim::First(_))
                        })
                    })
                    .collect();
                let firsts = threads.into_iter().map(|each| each.join().unwrap());
                firsts.filter(|first| *first).count()
            });
            assert_eq!((first, guests.admitted()), (1, 1));
            assert!(matches!(guests.claim("b", Some(1)), Claim::Full));
            assert!(guests.find("b").is_none());
        }
    }

    #[test]
    fn eight_who_clear_at_one_time_give_each_place_back_once() {
        for _ in 0..100 {
            let (guests, start) = (Guests::default(), Barrier::new(8));
            for name in 0..100 {
                guests.put_in(&format!("guest{name}"));
            }
            assert!(matches!(guests.claim("pending", None), Claim::First(_)));
            let cleared: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            guests.clear()
                        })
                    })
                    .collect();
                threads.into_iter().map(|each| each.join().unwrap()).sum()
            });
            assert_eq!((cleared, guests.admitted()), (100, 1));
        }
    }

    #[test]
    fn whoever_is_put_in_while_they_ask_is_in_with_one_place() {
        for _ in 0..500 {
            let (guests, start) = (Guests::default(), Barrier::new(4));
            assert!(guests.put_in("full"));
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        start.wait();
                        // There is no place, so that the name comes and goes.
                        for _ in 0..20 {
                            assert!(!matches!(guests.claim("a", Some(1)), Claim::First(_)));
                        }
                    });
                }
                start.wait();
                assert!(guests.put_in("a"));
            });
            assert_eq!((guests.names().len(), guests.admitted()), (2, 2));
        }
    }

    #[test]
    fn whoever_is_put_in_while_it_is_written_stays_when_that_fails() {
        let guests = Guests::default();
        let Claim::First(pending) = guests.claim("a", Some(1)) else {
            panic!("there is a place");
        };
        assert!(guests.put_in("a") && !guests.put_in("a"));
        guests.lose_unsettled("a", &pending);
        assert_eq!(
            (guests.names(), guests.admitted()),
            (vec!["a".to_owned()], 1)
        );
    }

    #[test]
    fn clearing_leaves_those_who_are_about_to_be_in() {
        let guests = Guests::default();
        assert!(guests.put_in("a") && guests.put_in("b") && !guests.put_in("a"));
        let Claim::First(pending) = guests.claim("c", None) else {
            panic!("there is no bound");
        };
        assert_eq!((guests.clear(), guests.admitted()), (2, 1));
        pending.settle(Standing::In);
        guests.lose_unsettled("c", &pending);
        assert_eq!(
            (guests.names(), guests.admitted()),
            (vec!["c".to_owned()], 1)
        );
    }
}
