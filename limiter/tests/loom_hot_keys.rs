//! Every interleaving of requests that are counted in one sketch, by threads that never wait for each other.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p floodwall-limiter --test loom_hot_keys`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::{Nanos, shape::hot_keys::HotKeys};
use loom::{sync::Arc, thread};

fn count(hot: &HotKeys, key: u64) {
    hot.count(key, 0, Nanos::ZERO, |name| name.push_str(&key.to_string()));
}

#[test]
fn a_count_is_never_too_low_and_too_high_by_its_error_at_the_most() {
    loom::model(|| {
        let hot = Arc::new(HotKeys::default());
        let theirs = Arc::clone(&hot);
        let other = thread::spawn(move || {
            count(&theirs, 7);
            count(&theirs, 8);
        });
        count(&hot, 7);
        let meanwhile = hot.hottest(9, Nanos::ZERO);
        other.join().unwrap();
        // Whoever comes next tells the sketch of those that found it taken.
        count(&hot, 7);
        for seen in [meanwhile, hot.hottest(9, Nanos::ZERO)] {
            for key in seen {
                let most = if key.name == "7" { 3 } else { 1 };
                assert!(key.requests - key.error <= most, "{key:?}");
            }
        }
        let seven = hot.hottest(1, Nanos::ZERO).remove(0);
        assert_eq!(seven.name, "7");
        assert!(seven.requests >= 3, "{seven:?}");
    });
}
