//! Every interleaving of the words that overload protection shares.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p floodwall-limiter --test loom_overload`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::{
    Nanos,
    shape::{in_flight::InFlight, overload::Window},
};
use loom::{sync::Arc, thread};

#[test]
fn of_two_for_one_place_one_enters_and_a_place_that_is_left_is_free() {
    loom::model(|| {
        let places = Arc::new(InFlight::default());
        let theirs = Arc::clone(&places);
        let other = thread::spawn(move || theirs.enter(1));
        let entered = places.enter(1);
        let both = [entered, other.join().unwrap()];
        assert_eq!(both.iter().filter(|entered| **entered).count(), 1);
        assert_eq!(places.now(), 1);
        places.leave();
        assert!(places.enter(1));
    });
}

#[test]
fn two_requests_of_one_turn_are_both_counted_though_the_words_are_of_an_earlier_one() {
    loom::model(|| {
        let window = Arc::new(Window::default());
        let now = Nanos::from_secs(1);
        let theirs = Arc::clone(&window);
        let other = thread::spawn(move || {
            theirs.completed(now, Nanos::from_millis(30), Nanos::from_millis(30));
        });
        window.completed(now, Nanos::from_millis(10), Nanos::from_millis(10));
        other.join().unwrap();
        let capacity = window.capacity(now);
        assert_eq!(capacity.completed_per_second, 4);
        assert_eq!(capacity.least_response_time, Nanos::from_millis(10));
        assert_eq!(window.response_time(now), Some(Nanos::from_millis(20)));
    });
}
