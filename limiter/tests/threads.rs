//! Eight threads on one table: whatever they do together, nobody is admitted beyond burst + rate * time.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret, Source,
    clock::{Clock, HandCrank},
    table::Set,
};

const SECRET: Secret = Secret { k0: 10, k1: 11 };
const THREADS: u64 = 8;
const START: Nanos = Nanos::from_secs(5);

type Table = FlowTable<Box<[Set]>>;

fn flow(key: u16) -> FlowId {
    FlowId::new(
        KeyHash::of_port(SECRET, key),
        LimitId::new(SECRET, LimitKind::Request, "threads"),
    )
}

/// Charges a key until it is refused.
fn drain(table: &Table, key: u16, quota: Quota, now: Nanos) -> u64 {
    let mut given = 0;
    while table.charge(flow(key), quota, now, 1).is_ok() {
        given += 1;
    }
    given
}

/// In every round the clock is turned once and all threads take what they can of every key. Answers with
/// what each key was given altogether.
fn rounds(table: &Table, keys: u16, quota: Quota, turns: u64, turn: Nanos) -> Vec<u64> {
    let clock = HandCrank::at(START);
    let barrier = Barrier::new(8);
    let given: Vec<AtomicU64> = (0..keys).map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (clock, barrier, given) = (&clock, &barrier, &given);
            scope.spawn(move || {
                for _ in 0..turns {
                    barrier.wait();
                    for key in 0..keys {
                        let taken = drain(table, key, quota, clock.now());
                        given[usize::from(key)].fetch_add(taken, SeqCst);
                    }
                    barrier.wait();
                    if thread == 0 {
                        clock.turn(turn);
                    }
                }
            });
        }
    });
    given.into_iter().map(AtomicU64::into_inner).collect()
}

#[test]
fn one_key_is_given_exactly_its_budget() {
    let table = FlowTable::own(64, SECRET);
    let quota = Quota::new(1000, Nanos::SECOND, 50);
    // Ten units a turn: the burst of the first round, and ten in each of the others.
    let given = rounds(&table, 1, quota, 2000, Nanos::from_millis(10));
    assert_eq!(given, [50 + 1999 * 10]);
}

#[test]
fn a_hundred_keys_are_given_exactly_their_budgets() {
    let table = FlowTable::own(1 << 14, SECRET);
    let quota = Quota::new(1000, Nanos::SECOND, 50);
    let given = rounds(&table, 100, quota, 50, Nanos::from_millis(10));
    assert!(
        given.iter().all(|&given| given == 50 + 49 * 10),
        "{given:?}"
    );
    assert_eq!(table.displaced(), 0);
}

/// Eight threads ask once for each of a million keys: three of them are admitted for each, but for keys that share a
/// set of four cells with four others.
#[test]
fn a_million_keys_are_given_their_budgets() {
    const KEYS: u32 = 1_000_000;
    const BURST: u64 = 3;
    let table = FlowTable::own(1 << 22, SECRET);
    let quota = Quota::new(1, Nanos::from_secs(3600), BURST);
    let limit = LimitId::new(SECRET, LimitKind::Request, "threads");
    let given: u64 = thread::scope(|scope| {
        let ask = |address: u32| {
            let source = Source::v4(address, 32);
            let flow = FlowId::new(KeyHash::of_source(SECRET, source), limit);
            u64::from(table.charge(flow, quota, START, 1).is_ok())
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(move || (0..KEYS).map(ask).sum::<u64>()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(u64::MAX))
            .sum()
    });
    let allowed = u64::from(KEYS) * BURST;
    let lost = table.displaced() * BURST;
    println!("{given} of {allowed}; {} displaced", table.displaced());
    assert!(given <= allowed + lost, "{given} of {allowed} and {lost}");
    assert!(given * 100 >= allowed * 99, "{given} of {allowed}");
    assert!(
        lost * 100 <= allowed * 2,
        "{lost} units in a table four times as large"
    );
}

#[test]
fn newcomers_at_every_turn_are_given_their_burst_and_no_more() {
    let table = FlowTable::own(1 << 14, SECRET);
    let quota = Quota::new(1000, Nanos::SECOND, 1);
    // Every cell is free again at every turn, so that all threads bring every key into the table at once.
    let given = rounds(&table, 100, quota, 200, Nanos::from_millis(2));
    assert!(given.iter().all(|&given| given == 200), "{given:?}");
}

#[test]
fn keys_that_fight_for_too_few_cells_are_over_by_no_more_than_was_displaced() {
    let table = FlowTable::over(vec![Set::default()].into_boxed_slice(), SECRET);
    let quota = Quota::new(1000, Nanos::SECOND, 5);
    let given: u64 = rounds(&table, 6, quota, 200, Nanos::from_millis(1))
        .iter()
        .sum();
    let allowed = 6 * (5 + 199);
    // A displaced debt is five units at most.
    assert!(
        given <= allowed + 5 * table.displaced(),
        "{given} of {allowed}"
    );
    assert!(table.displaced() > 0, "six keys fit into four cells");
}

#[test]
fn a_real_clock_admits_no_more_than_burst_and_rate() {
    let table = FlowTable::own(64, SECRET);
    let (rate, burst) = (500_000, 1000);
    let quota = Quota::new(rate, Nanos::SECOND, burst);
    let begin = Instant::now();
    let given: u64 = thread::scope(|scope| {
        let hammer = || {
            let mut given = 0;
            while begin.elapsed() < Duration::from_millis(300) {
                let now = START.plus(begin.elapsed().into());
                given += u64::from(table.charge(flow(1), quota, now, 1).is_ok());
            }
            given
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(hammer)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(u64::MAX))
            .sum()
    });
    let allowed = u128::from(burst) + begin.elapsed().as_nanos() * u128::from(rate) / 1_000_000_000;
    assert!(u128::from(given) <= allowed, "{given} of {allowed}");
    assert!(given >= burst, "{given} is not even the burst");
}
