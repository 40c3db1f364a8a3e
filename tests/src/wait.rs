//! Waiting for something to become true, with an end.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What anything may take on a busy machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Looks until `found` gives something; none after `within`.
pub fn until<T>(within: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = found() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(POLL);
    }
}

/// Lets the clock come to `moment`: for what is about time itself, such as a block that ends.
pub fn for_the_clock(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// Runs `work` once every `period` for `length`, and returns what it gave each time.
pub fn paced<T>(period: Duration, length: Duration, mut work: impl FnMut() -> T) -> Vec<T> {
    let begin = Instant::now();
    let mut results = Vec::new();
    let mut next = begin;
    while next.duration_since(begin) < length {
        for_the_clock(next);
        results.push(work());
        next += period;
    }
    results
}

/// Asserts that a condition becomes true before a deadline, 10 s unless said otherwise.
#[macro_export]
macro_rules! eventually {
    ($condition:expr) => {
        $crate::eventually!($condition, within $crate::wait::PATIENCE)
    };
    ($condition:expr, within $patience:expr) => {
        assert!(
            $crate::wait::until($patience, || $condition.then_some(())).is_some(),
            "still not true after {:?}: {}",
            $patience,
            stringify!($condition)
        )
    };
}
