//! Every interleaving of slots that are taken, waited for, released and left.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p floodwall-limiter --test loom_concurrency`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::{
    Nanos,
    shape::concurrency::{Entered, HoldTime, Keyed, Left, Lone},
};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// The slots of all, or those of one key.
trait Slots: Default + Send + Sync + 'static {
    fn try_enter(&self) -> bool;
    fn enter(&self) -> Entered;
    fn release(&self, grant: impl FnMut(()));
    fn leave(&self, number: u64) -> Left;
    /// How many hold a slot, and how many wait for one.
    fn inside(&self) -> (u64, u64);
}

/// There is one slot.
const MOST: u32 = 1;
const KEY: u64 = 7;

impl Slots for Lone<()> {
    fn try_enter(&self) -> bool {
        self.try_enter(MOST)
    }

    fn enter(&self) -> Entered {
        self.enter(MOST, 1, ())
    }

    fn release(&self, grant: impl FnMut(())) {
        self.release(MOST, grant);
    }

    fn leave(&self, number: u64) -> Left {
        self.leave(number)
    }

    fn inside(&self) -> (u64, u64) {
        (self.held(), self.waiting())
    }
}

impl Slots for Keyed<()> {
    fn try_enter(&self) -> bool {
        self.try_enter(KEY, MOST)
    }

    fn enter(&self) -> Entered {
        self.enter(KEY, MOST, 1, ())
    }

    fn release(&self, grant: impl FnMut(())) {
        self.release(KEY, MOST, grant);
    }

    fn leave(&self, number: u64) -> Left {
        self.leave(KEY, number)
    }

    fn inside(&self) -> (u64, u64) {
        (self.all_held(), self.all_waiting())
    }
}

/// Slots whose grants are counted.
#[derive(Default)]
struct Counted<S> {
    slots: S,
    granted: AtomicUsize,
}

impl<S: Slots> Counted<S> {
    fn release(&self) {
        self.slots.release(|()| {
            self.granted.fetch_add(1, SeqCst);
        });
    }
}

fn two_never_hold_the_one_slot<S: Slots>() {
    loom::model(|| {
        let all = Arc::new(Counted::<S>::default());
        let shared = Arc::clone(&all);
        let other = thread::spawn(move || {
            let holds = shared.slots.try_enter();
            if holds {
                shared.release();
            }
            holds
        });
        let holds = all.slots.try_enter();
        if holds {
            all.release();
        }
        assert!(other.join().unwrap() || holds);
        assert_eq!(all.slots.inside(), (0, 0));
    });
}

fn a_waiter_gets_the_slot_that_is_released_while_it_comes<S: Slots>() {
    loom::model(|| {
        let all = Arc::new(Counted::<S>::default());
        assert!(all.slots.try_enter());
        let shared = Arc::clone(&all);
        let holder = thread::spawn(move || shared.release());
        let entered = all.slots.enter();
        holder.join().unwrap();
        let holds = entered == Entered::Holds || all.granted.load(SeqCst) == 1;
        assert!(
            holds,
            "{entered:?}: a slot is free and somebody waits for it"
        );
        assert_eq!(all.slots.inside(), (1, 0));
    });
}

fn a_waiter_who_leaves_while_the_slot_is_granted_releases_it<S: Slots>() {
    loom::model(|| {
        let all = Arc::new(Counted::<S>::default());
        assert!(all.slots.try_enter());
        let Entered::Waits(number) = all.slots.enter() else {
            panic!("the slot is taken")
        };
        let shared = Arc::clone(&all);
        let holder = thread::spawn(move || shared.release());
        if all.slots.leave(number) == Left::Granted {
            all.release();
        }
        holder.join().unwrap();
        assert_eq!(all.slots.inside(), (0, 0));
        assert!(all.slots.try_enter());
    });
}

/// The same models for the word of all and for the map of keys.
macro_rules! models {
    ($kind:ident: $slots:ty) => {
        mod $kind {
            use super::*;

            #[test]
            fn two_never_hold_the_one_slot() {
                super::two_never_hold_the_one_slot::<$slots>();
            }

            #[test]
            fn a_waiter_gets_the_slot_that_is_released_while_it_comes() {
                super::a_waiter_gets_the_slot_that_is_released_while_it_comes::<$slots>();
            }

            #[test]
            fn a_waiter_who_leaves_while_the_slot_is_granted_releases_it() {
                super::a_waiter_who_leaves_while_the_slot_is_granted_releases_it::<$slots>();
            }
        }
    };
}

models!(lone: Lone<()>);
models!(keyed: Keyed<()>);

/// A key's entry goes with its last request, and the next one begins anew.
#[test]
fn a_key_that_goes_while_it_comes_back_is_counted_once() {
    loom::model(|| {
        let all = Arc::new(Keyed::<()>::default());
        assert!(all.try_enter(KEY, 2));
        let shared = Arc::clone(&all);
        let leaves = thread::spawn(move || shared.release(KEY, 2, |()| {}));
        assert!(all.try_enter(KEY, 2));
        leaves.join().unwrap();
        assert_eq!((all.held(KEY), all.keys()), (1, 1));
        all.release(KEY, 2, |()| {});
        assert_eq!(all.keys(), 0);
    });
}

#[test]
fn two_slots_that_are_released_at_once_both_count() {
    let of = |times: [u64; 2]| {
        let mean = HoldTime::default();
        times.map(|time| mean.note(Nanos(time)));
        mean.mean()
    };
    loom::model(move || {
        let mean = Arc::new(HoldTime::default());
        let theirs = Arc::clone(&mean);
        let other = thread::spawn(move || theirs.note(Nanos(8_000)));
        mean.note(Nanos(800));
        other.join().unwrap();
        let found = mean.mean();
        assert!(
            found == of([800, 8_000]) || found == of([8_000, 800]),
            "{found:?}"
        );
    });
}
