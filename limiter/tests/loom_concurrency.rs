//! Every interleaving of slots that are taken, waited for, released and left.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p floodwall-limiter --test loom_concurrency`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::shape::concurrency::{Entered, Left, Lone};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// Slots whose grants are counted.
#[derive(Default)]
struct Slots {
    lone: Lone<()>,
    granted: AtomicUsize,
}

impl Slots {
    fn release(&self) {
        self.lone.release(1, |()| {
            self.granted.fetch_add(1, SeqCst);
        });
    }
}

#[test]
fn two_never_hold_the_one_slot() {
    loom::model(|| {
        let slots = Arc::new(Slots::default());
        let shared = Arc::clone(&slots);
        let other = thread::spawn(move || {
            let holds = shared.lone.try_enter(1);
            if holds {
                shared.release();
            }
            holds
        });
        let holds = slots.lone.try_enter(1);
        if holds {
            slots.release();
        }
        assert!(other.join().unwrap() || holds);
        assert_eq!(slots.lone.held(), 0);
    });
}

#[test]
fn a_waiter_gets_the_slot_that_is_released_while_it_comes() {
    loom::model(|| {
        let slots = Arc::new(Slots::default());
        assert!(slots.lone.try_enter(1));
        let shared = Arc::clone(&slots);
        let holder = thread::spawn(move || shared.release());
        let entered = slots.lone.enter(1, 1, ());
        holder.join().unwrap();
        let holds = entered == Entered::Holds || slots.granted.load(SeqCst) == 1;
        assert!(
            holds,
            "{entered:?}: a slot is free and somebody waits for it"
        );
        assert_eq!((slots.lone.held(), slots.lone.waiting()), (1, 0));
    });
}

#[test]
fn a_waiter_who_leaves_while_the_slot_is_granted_releases_it() {
    loom::model(|| {
        let slots = Arc::new(Slots::default());
        assert!(slots.lone.try_enter(1));
        let Entered::Waits(number) = slots.lone.enter(1, 1, ()) else {
            panic!("the slot is taken")
        };
        let shared = Arc::clone(&slots);
        let holder = thread::spawn(move || shared.release());
        if slots.lone.leave(number) == Left::Granted {
            slots.release();
        }
        holder.join().unwrap();
        assert_eq!((slots.lone.held(), slots.lone.waiting()), (0, 0));
        assert!(slots.lone.try_enter(1));
    });
}
