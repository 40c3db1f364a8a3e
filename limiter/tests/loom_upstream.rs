//! Every interleaving of what upstreams learn: who is left out, and how many may be under way.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p floodwall-limiter --test loom_upstream`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::{
    Nanos,
    shape::{
        adaptive::Adaptive,
        gradient,
        outlier::{Outliers, Rule, Server, Why},
    },
};
use loom::{sync::Arc, thread};

const NOW: Nanos = Nanos::from_secs(100);

/// One bad answer in a row is too many.
const RULE: Rule = Rule {
    consecutive: Some(1),
    success_rate: None,
    interval: Nanos::from_secs(10),
    eject_for: Nanos::from_secs(30),
    eject_at_most: Nanos::from_secs(300),
    most_share: 0,
};

/// An upstream of so many servers.
struct Upstream {
    servers: Vec<Arc<Server>>,
    outliers: Outliers,
}

/// `Arc` of loom is no `AsRef`.
struct Each<'a>(&'a Server);

impl AsRef<Server> for Each<'_> {
    fn as_ref(&self) -> &Server {
        self.0
    }
}

impl Upstream {
    fn of(servers: usize) -> Self {
        let server = |_| Arc::new(Server::new(RULE.interval));
        Self {
            servers: (0..servers).map(server).collect(),
            outliers: Outliers::default(),
        }
    }

    /// Takes note of a bad answer, and tells how many servers are put out for it.
    fn bad(&self, server: usize) -> usize {
        let servers: Vec<Each<'_>> = self.servers.iter().map(|server| Each(server)).collect();
        let ejected = self.outliers.answered(&servers, server, true, &RULE, NOW);
        assert!(ejected.iter().all(|one| matches!(one.why, Why::InARow(_))));
        ejected.len()
    }

    fn out(&self) -> usize {
        let out = |server: &&Arc<Server>| server.out_for(NOW).is_some();
        self.servers.iter().filter(out).count()
    }
}

/// Two servers do badly at once: the first answers with how many each put out.
fn both_bad(upstream: &Arc<Upstream>, one: usize, other: usize) -> [usize; 2] {
    let theirs = Arc::clone(upstream);
    let there = thread::spawn(move || theirs.bad(one));
    let here = upstream.bad(other);
    [there.join().unwrap(), here]
}

#[test]
fn of_two_servers_that_fail_at_once_one_stays() {
    loom::model(|| {
        let upstream = Arc::new(Upstream::of(2));
        let [one, other] = both_bad(&upstream, 0, 1);
        assert_eq!((one + other, upstream.out()), (1, 1));
    });
}

#[test]
fn a_server_that_fails_twice_at_once_is_put_out_once() {
    loom::model(|| {
        let upstream = Arc::new(Upstream::of(3));
        let [one, other] = both_bad(&upstream, 1, 1);
        assert_eq!((one + other, upstream.out()), (1, 1));
        assert_eq!(upstream.servers[1].ejections(), 1);
        assert_eq!(upstream.servers[1].out_for(NOW), Some(RULE.eject_for));
    });
}

#[test]
fn two_last_answers_of_a_sample_move_the_limit_once() {
    const LIMITS: gradient::Rule = gradient::Rule {
        min: 4,
        max: 1_000,
        tolerance: 1.5,
        every: Nanos::SECOND,
        measure_every: Nanos::from_secs(60),
    };
    let answered = |adaptive: &Adaptive, now| {
        adaptive.refused();
        adaptive.answered(&LIMITS, Nanos::from_millis(1), now);
    };
    // All answers are quick, so that each sample raises the limit.
    loom::model(move || {
        let (initial, over) = (100, NOW.plus(LIMITS.every));
        let adaptive = Arc::new(Adaptive::new(&LIMITS, initial, NOW));
        for _ in 1..gradient::FEWEST_ANSWERS {
            answered(&adaptive, NOW);
        }
        let theirs = Arc::clone(&adaptive);
        let other = thread::spawn(move || answered(&theirs, over));
        answered(&adaptive, over);
        let meanwhile = adaptive.limit();
        other.join().unwrap();
        let once = adaptive.limit();
        assert!(meanwhile == initial || meanwhile == once, "{meanwhile}");
        // A second sample would have raised it as much again.
        assert!((102..=115).contains(&once), "{once}");
        for _ in 0..gradient::FEWEST_ANSWERS {
            answered(&adaptive, over.plus(LIMITS.every));
        }
        assert!(adaptive.limit() > once, "the next sample counts");
    });
}
