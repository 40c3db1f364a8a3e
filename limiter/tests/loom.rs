//! Every interleaving of the claim-and-charge protocol, for the few threads and operations that matter.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=5 cargo test --release -p floodwall-limiter --test loom`
//!
//! The models of three threads stop at three preemptions: with six, loom finds the race that the module
//! documentation of `set` accepts, a former key that comes back twice while a third thread moves in.
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::{
    FlowId, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret,
    set::{self, Cells, Done, Join, Refused, WAYS},
    table::Set,
};
use loom::{sync::Arc, thread};

const NOW: Nanos = Nanos::from_secs(1);
const PRICE: u64 = Nanos::SECOND.0;

/// The `n`th key of the model.
fn key(n: u16) -> FlowId {
    let secret = Secret { k0: 1, k1: 2 };
    FlowId::new(
        KeyHash::of_port(secret, n),
        LimitId::new(secret, LimitKind::Request, "model"),
    )
}

const fn burst(units: u64) -> Quota {
    Quota::new(1, Nanos::SECOND, units)
}

fn charge(set: &Set, key: FlowId, quota: Quota) -> Result<Done, Refused> {
    set::charge(set, key, quota, NOW, 1)
}

fn debt(set: &Set, key: FlowId) -> u64 {
    set::peek(set, key.fingerprint()).minus(NOW).0
}

/// Puts a key into a cell as if it had always been there.
fn settle_in(set: &Set, way: usize, key: FlowId, time: u64) {
    assert!(set.swap_fingerprint(way, 0, key.fingerprint()));
    assert!(set.swap_time(way, 0, time));
}

/// A set whose cells from `first` on are in debt for an hour, to keys that no model charges.
fn crowded_from(first: usize) -> Set {
    let set = Set::default();
    for way in first..WAYS {
        let stranger = key(100 + u16::try_from(way).unwrap());
        settle_in(&set, way, stranger, NOW.0 + 3600 * PRICE);
    }
    set
}

/// Runs both at once and answers with what each said.
fn both<A: Send + 'static, B: 'static>(
    set: &Arc<Set>,
    there: impl Fn(&Set) -> A + Send + 'static,
    here: impl Fn(&Set) -> B,
) -> (A, B) {
    let shared = Arc::clone(set);
    let other = thread::spawn(move || there(&shared));
    let ours = here(set);
    (other.join().unwrap(), ours)
}

/// Three threads have so many interleavings that three preemptions must do.
fn three_threads(model: impl Fn() + Send + Sync + 'static) {
    let mut loom = loom::model::Builder::new();
    loom.preemption_bound = Some(3);
    loom.check(model);
}

fn admitted(outcomes: &[Result<Done, Refused>]) -> u64 {
    outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64
}

/// How many units of debt the charges of strangers displaced.
fn displaced(outcomes: &[Result<Done, Refused>]) -> u64 {
    outcomes
        .iter()
        .flatten()
        .map(|done| done.displaced.0.div_ceil(PRICE))
        .sum()
}

#[test]
fn two_newcomers_of_one_key_and_a_burst_of_one() {
    loom::model(|| {
        let set = Arc::new(Set::default());
        let (there, here) = both(
            &set,
            |set| charge(set, key(1), burst(1)),
            |set| charge(set, key(1), burst(1)),
        );
        assert_eq!(admitted(&[there, here]), 1);
        assert_eq!(debt(&set, key(1)), PRICE);
    });
}

#[test]
fn two_newcomers_of_one_key_and_a_burst_of_two() {
    loom::model(|| {
        let set = Arc::new(Set::default());
        let (there, here) = both(
            &set,
            |set| charge(set, key(1), burst(2)),
            |set| charge(set, key(1), burst(2)),
        );
        assert!(admitted(&[there, here]) >= 1);
        assert_eq!(debt(&set, key(1)), PRICE * admitted(&[there, here]));
    });
}

#[test]
fn two_newcomers_of_two_keys_do_not_meet() {
    loom::model(|| {
        let set = Arc::new(Set::default());
        let (there, here) = both(
            &set,
            |set| charge(set, key(1), burst(1)),
            |set| charge(set, key(2), burst(1)),
        );
        assert_eq!(admitted(&[there, here]), 2);
        assert_eq!(debt(&set, key(1)), PRICE);
        assert_eq!(debt(&set, key(2)), PRICE);
    });
}

#[test]
fn an_expired_cell_its_owner_and_a_stranger_who_wants_it() {
    loom::model(|| {
        let set = crowded_from(2);
        settle_in(&set, 0, key(1), NOW.0 - 2);
        let set = Arc::new(set);
        let (stranger, owner) = both(
            &set,
            |set| charge(set, key(2), burst(1)),
            |set| [charge(set, key(1), burst(1)), charge(set, key(1), burst(1))],
        );
        assert_eq!(admitted(&[stranger]), 1);
        assert_eq!(admitted(&owner), 1);
        assert_eq!(debt(&set, key(1)), PRICE);
        assert_eq!(debt(&set, key(2)), PRICE);
    });
}

#[test]
fn the_last_free_cell_two_of_its_owner_and_a_stranger() {
    three_threads(|| {
        let set = crowded_from(1);
        settle_in(&set, 0, key(1), NOW.0 - 2);
        let set = Arc::new(set);
        let shared = Arc::clone(&set);
        let stranger = thread::spawn(move || charge(&shared, key(2), burst(1)));
        let (there, here) = both(
            &set,
            |set| charge(set, key(1), burst(1)),
            |set| charge(set, key(1), burst(1)),
        );
        let stranger = stranger.join().unwrap();
        let all = [there, here, stranger];
        assert!(admitted(&[there, here]) <= 1 + displaced(&all), "{all:?}");
        assert!(admitted(&[there, here]) >= 1, "{all:?}");
    });
}

#[test]
fn a_refund_and_a_charge() {
    loom::model(|| {
        let set = Set::default();
        let first = charge(&set, key(1), burst(2)).unwrap();
        charge(&set, key(1), burst(2)).unwrap();
        let set = Arc::new(set);
        let ((), late) = both(
            &set,
            move |set| set::refund(set, key(1).fingerprint(), first.time, Nanos(PRICE), NOW),
            |set| [charge(set, key(1), burst(2)), charge(set, key(1), burst(2))],
        );
        assert!(admitted(&late) <= 1);
        assert_eq!(debt(&set, key(1)), PRICE * (1 + admitted(&late)));
    });
}

#[test]
fn a_claim_whose_owner_died_is_completed_by_its_key_or_broken_by_another() {
    loom::model(|| {
        let set = crowded_from(1);
        assert!(set.swap_time(0, 0, key(1).fingerprint()));
        let set = Arc::new(set);
        let (stranger, owner) = both(
            &set,
            |set| charge(set, key(2), burst(1)),
            |set| charge(set, key(1), burst(1)),
        );
        assert_eq!(admitted(&[stranger, owner]), 2);
        // Either may displace the other, who then comes again and may do the same.
        let lost = displaced(&[stranger, owner]) * PRICE;
        let kept = [debt(&set, key(1)), debt(&set, key(2))];
        assert!(kept[0] + kept[1] + lost >= 2 * PRICE, "{kept:?} {lost}");
        assert!(kept.iter().all(|&debt| debt <= PRICE), "{kept:?}");
    });
}

#[test]
fn a_newcomer_displaces_the_least_debt_while_its_owner_charges() {
    loom::model(|| {
        let set = crowded_from(1);
        settle_in(&set, 0, key(1), NOW.0 + PRICE);
        let set = Arc::new(set);
        let (newcomer, owner) = both(
            &set,
            |set| charge(set, key(2), burst(1)),
            |set| [charge(set, key(1), burst(2)), charge(set, key(1), burst(2))],
        );
        let all = [newcomer, owner[0], owner[1]];
        assert!(admitted(&owner) <= 1 + displaced(&all), "{all:?}");
        assert!(admitted(&owner) >= 1);
    });
}

#[test]
fn twins_are_merged_while_both_are_charged() {
    loom::model(|| {
        let set = Set::default();
        settle_in(&set, 1, key(1), NOW.0 + PRICE);
        settle_in(&set, 2, key(1), NOW.0 + PRICE);
        let set = Arc::new(set);
        let (there, here) = both(
            &set,
            |set| charge(set, key(1), burst(3)),
            |set| charge(set, key(1), burst(3)),
        );
        let new = admitted(&[there, here]);
        assert!(new <= 1, "two debts and {new} more of three");
        assert_eq!(debt(&set, key(1)), PRICE * (2 + new));
    });
}

#[test]
fn three_newcomers_of_one_key_and_a_burst_of_one() {
    three_threads(|| {
        let set = Arc::new(Set::default());
        let shared = Arc::clone(&set);
        let third = thread::spawn(move || charge(&shared, key(1), burst(1)));
        let (there, here) = both(
            &set,
            |set| charge(set, key(1), burst(1)),
            |set| charge(set, key(1), burst(1)),
        );
        // None is possible: a debt that moves is counted twice meanwhile, and its owners give up.
        assert!(admitted(&[there, here, third.join().unwrap()]) <= 1);
        assert!(debt(&set, key(1)) <= 2 * PRICE);
    });
}

#[test]
fn three_newcomers_of_one_key_of_whom_one_comes_twice() {
    three_threads(|| {
        let set = Arc::new(Set::default());
        let shared = Arc::clone(&set);
        let third = thread::spawn(move || charge(&shared, key(1), burst(2)));
        let (there, here) = both(
            &set,
            |set| charge(set, key(1), burst(2)),
            |set| [charge(set, key(1), burst(2)), charge(set, key(1), burst(2))],
        );
        // The second charge of one finds a cell with a debt, perhaps while the others move into a twin.
        assert!(admitted(&[there, here[0], here[1], third.join().unwrap()]) <= 2);
    });
}

#[test]
fn of_two_blocks_the_later_end_stays() {
    loom::model(|| {
        let set = Arc::new(Set::default());
        let hold = |set: &Set, until: u64| {
            let keep = |time: Nanos| Ok(time.max(Nanos(NOW.0 + until)));
            set::update(set, key(1).fingerprint(), Join::Later, NOW, keep).unwrap()
        };
        both(&set, move |set| hold(set, 2), move |set| hold(set, 4));
        assert_eq!(debt(&set, key(1)), 4);
    });
}

#[test]
fn a_pardon_leaves_nothing_but_what_came_after_it() {
    loom::model(|| {
        let set = Set::default();
        settle_in(&set, 0, key(1), NOW.0 + 2 * PRICE);
        let set = Arc::new(set);
        let (found, charged) = both(
            &set,
            |set| set::clear(set, key(1).fingerprint()),
            |set| charge(set, key(1), burst(2)),
        );
        assert!(found);
        assert_eq!(debt(&set, key(1)), PRICE * admitted(&[charged]));
    });
}
