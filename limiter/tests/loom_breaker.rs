//! Every interleaving of a breaker's word and window, and of a retry budget's.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p floodwall-limiter --test loom_breaker`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::{
    Nanos,
    shape::{
        breaker::{Answer, Breaker, Change, Pass, Position, Rule, Trip},
        retry_budget::{self, RetryBudget},
    },
};
use loom::{sync::Arc, thread};

const NOW: Nanos = Nanos::from_secs(100);
const DUE: Nanos = Nanos::from_secs(102);

const RULE: Rule = Rule {
    trip: Trip::Share(500_000),
    min_requests: 2,
    open_for: Nanos::from_secs(2),
    probes: 1,
    probe_within: Nanos::from_secs(5),
};

const TWO_PROBES: Rule = Rule { probes: 2, ..RULE };

fn breaker() -> Breaker {
    Breaker::new(Nanos::from_secs(10))
}

/// A breaker that may try at [`DUE`].
fn due() -> Breaker {
    let breaker = breaker();
    for _ in 0..2 {
        let pass = breaker.ask(&RULE, NOW).unwrap();
        breaker.answered(&RULE, pass, Answer::Bad, NOW);
    }
    breaker
}

/// Runs both at once and answers with what each said.
fn both<T: Send + 'static, A: Send + 'static, B>(
    shared: T,
    there: impl Fn(&T) -> A + Send + 'static,
    here: impl Fn(&T) -> B,
) -> (A, B, Arc<T>)
where
    T: Sync,
{
    let shared = Arc::new(shared);
    let theirs = Arc::clone(&shared);
    let other = thread::spawn(move || there(&theirs));
    let ours = here(&shared);
    (other.join().unwrap(), ours, shared)
}

/// Three threads have so many interleavings that two preemptions must do.
fn model(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut loom = loom::model::Builder::new();
    loom.preemption_bound = Some(preemptions);
    loom.check(model);
}

#[test]
fn of_two_who_find_it_due_one_probes() {
    model(3, || {
        let ask = |breaker: &Breaker| breaker.ask(&RULE, DUE).is_ok();
        let (there, here, _) = both(due(), ask, ask);
        assert_eq!([there, here].iter().filter(|passed| **passed).count(), 1);
    });
}

#[test]
fn of_three_who_find_it_due_two_probe() {
    model(2, || {
        let breaker = Arc::new(due());
        let third = Arc::clone(&breaker);
        let third = thread::spawn(move || third.ask(&TWO_PROBES, DUE).is_ok());
        let fourth = Arc::clone(&breaker);
        let fourth = thread::spawn(move || fourth.ask(&TWO_PROBES, DUE).is_ok());
        let here = breaker.ask(&TWO_PROBES, DUE).is_ok();
        let passed = [here, third.join().unwrap(), fourth.join().unwrap()];
        assert_eq!(passed.iter().filter(|passed| **passed).count(), 2);
    });
}

#[test]
fn a_failure_reopens_whatever_the_other_probe_says() {
    model(3, || {
        let breaker = due();
        let probes = [(); 2].map(|()| breaker.ask(&TWO_PROBES, DUE).unwrap());
        let answer = |pass: Pass, answer| {
            move |breaker: &Breaker| breaker.answered(&TWO_PROBES, pass, answer, DUE)
        };
        let (bad, good, breaker) = both(
            breaker,
            answer(probes[0], Answer::Bad),
            answer(probes[1], Answer::Good),
        );
        assert_eq!((bad, good), (Some(Change::Reopened), None));
        assert!(breaker.ask(&TWO_PROBES, DUE).is_err());
    });
}

#[test]
fn two_successes_close_it_once() {
    model(3, || {
        let breaker = due();
        let probes = [(); 2].map(|()| breaker.ask(&TWO_PROBES, DUE).unwrap());
        let answer = |pass: Pass| {
            move |breaker: &Breaker| breaker.answered(&TWO_PROBES, pass, Answer::Good, DUE)
        };
        let (there, here, breaker) = both(breaker, answer(probes[0]), answer(probes[1]));
        let closed = [there, here].iter().flatten().count();
        assert_eq!(closed, 1);
        assert_eq!(breaker.view(DUE).position, Position::Closed);
    });
}

#[test]
fn a_place_that_is_given_back_is_given_to_one() {
    model(3, || {
        let breaker = due();
        let probe = breaker.ask(&RULE, DUE).unwrap();
        let (there, (), breaker) = both(
            breaker,
            |breaker| breaker.ask(&RULE, DUE).is_ok(),
            move |breaker| breaker.release(probe),
        );
        let later = breaker.ask(&RULE, DUE).is_ok();
        assert_ne!(there, later, "either then or now, not twice");
    });
}

#[test]
fn the_answer_that_completes_the_ratio_opens_it_once() {
    model(3, || {
        let breaker = breaker();
        let passes = [(); 2].map(|()| breaker.ask(&RULE, NOW).unwrap());
        let answer =
            |pass: Pass| move |breaker: &Breaker| breaker.answered(&RULE, pass, Answer::Bad, NOW);
        let (there, here, breaker) = both(breaker, answer(passes[0]), answer(passes[1]));
        assert_eq!([there, here].iter().flatten().count(), 1);
        assert!(breaker.ask(&RULE, NOW).is_err());
    });
}

#[test]
fn of_two_for_the_last_retry_at_most_one_gets_it() {
    model(3, || {
        let rule = retry_budget::Rule {
            share: 500_000,
            least: 0,
        };
        let budget = RetryBudget::default();
        budget.request(NOW);
        budget.request(NOW);
        let retry = move |budget: &RetryBudget| budget.retry(rule, NOW);
        let (there, here, budget) = both(budget, retry, retry);
        assert!(!(there && here));
        let later = budget.retry(rule, NOW);
        assert_eq!(
            usize::from(there) + usize::from(here) + usize::from(later),
            1
        );
    });
}
