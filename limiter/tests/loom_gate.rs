//! Every interleaving of places behind a gate that are taken and given back.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p floodwall-limiter --test loom_gate`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::shape::gate::Places;
use loom::{sync::Arc, thread};

#[test]
fn three_who_want_two_places_get_two() {
    loom::model(|| {
        let places = Arc::new(Places::default());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let places = Arc::clone(&places);
                thread::spawn(move || places.try_take(Some(2)))
            })
            .collect();
        let mine = places.try_take(Some(2));
        let given = threads.into_iter().filter_map(|each| each.join().ok());
        let given = given.chain([mine]).filter(|given| *given).count();
        assert_eq!((given, places.taken()), (2, 2));
    });
}

#[test]
fn a_place_that_is_given_back_is_anothers_and_never_twos() {
    loom::model(|| {
        let places = Arc::new(Places::default());
        assert!(places.try_take(Some(1)));
        let leaves = {
            let places = Arc::clone(&places);
            thread::spawn(move || places.give_back())
        };
        let wants = {
            let places = Arc::clone(&places);
            thread::spawn(move || places.try_take(Some(1)))
        };
        let mine = places.try_take(Some(1));
        leaves.join().unwrap();
        let theirs = wants.join().unwrap();
        assert!(!(mine && theirs), "there is one");
        assert_eq!(places.taken(), u64::from(mine || theirs));
    });
}

#[test]
fn whoever_is_put_in_counts_beside_those_who_ask() {
    loom::model(|| {
        let places = Arc::new(Places::default());
        let put_in = {
            let places = Arc::clone(&places);
            thread::spawn(move || places.take())
        };
        let asked = places.try_take(Some(1));
        put_in.join().unwrap();
        assert_eq!(places.taken(), 1 + u64::from(asked));
        assert!(!places.try_take(Some(1)));
    });
}
