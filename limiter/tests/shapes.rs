//! Eight threads on the shapes that share state: never over, nothing left behind.

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret,
    clock::{Clock, HandCrank},
    shape::{
        concurrency::{Entered, Keyed, Left, Lone},
        line::{Entered as Placed, Line, Place},
        warm_up::WarmUp,
    },
    table::Set,
};

const SECRET: Secret = Secret { k0: 20, k1: 21 };
const THREADS: usize = 8;
const START: Nanos = Nanos::from_secs(50);

fn flow(kind: LimitKind) -> FlowId {
    FlowId::new(
        KeyHash::of_port(SECRET, 1),
        LimitId::new(SECRET, kind, "shapes"),
    )
}

/// Lets every thread run `work`, told which of them it is.
fn together(work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(thread));
        }
    });
}

#[test]
fn slots_of_one_key_are_never_over_and_all_come_back() {
    let (slots, under_way) = (Lone::<()>::default(), AtomicI64::new(0));
    together(|_| {
        for _ in 0..20_000 {
            if slots.try_enter(3) {
                assert!(under_way.fetch_add(1, SeqCst) < 3);
                under_way.fetch_sub(1, SeqCst);
                slots.release(3, |()| panic!("nobody waits"));
            }
        }
    });
    assert_eq!((slots.held(), slots.waiting()), (0, 0));
}

#[test]
fn slots_with_a_line_are_granted_once_each_whoever_leaves() {
    // An alarm is the number of a flag that its waiter looks at.
    let slots = Lone::<usize>::default();
    let granted: Vec<AtomicU64> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
    let under_way = AtomicI64::new(0);
    let grant = |alarm: usize| {
        granted[alarm].fetch_add(1, SeqCst);
    };
    together(|thread| {
        for round in 0..5_000 {
            let before = granted[thread].load(SeqCst);
            let holds = match slots.enter(2, 100, thread) {
                Entered::Holds => true,
                Entered::Full => panic!("the line is long enough"),
                // Every third one leaves at once, the others wait.
                Entered::Waits(number) if round % 3 == 0 => slots.leave(number) == Left::Granted,
                Entered::Waits(_) => {
                    while granted[thread].load(SeqCst) == before {
                        thread::yield_now();
                    }
                    true
                }
            };
            if holds {
                assert!(under_way.fetch_add(1, SeqCst) < 2);
                under_way.fetch_sub(1, SeqCst);
                slots.release(2, grant);
            }
        }
    });
    assert_eq!((slots.held(), slots.waiting()), (0, 0));
}

#[test]
fn slots_of_many_keys_are_never_over_and_leave_no_entry() {
    let slots = Keyed::<()>::default();
    let under_way: Vec<AtomicI64> = (0..100).map(|_| AtomicI64::new(0)).collect();
    together(|thread| {
        for turn in 0..20_000_usize {
            let key = (turn * 7 + thread * 13) % under_way.len();
            let hash = (key as u64) << 32;
            if slots.try_enter(hash, 2) {
                assert!(under_way[key].fetch_add(1, SeqCst) < 2);
                under_way[key].fetch_sub(1, SeqCst);
                slots.release(hash, 2, |()| panic!("nobody waits"));
            }
        }
    });
    assert_eq!(slots.keys(), 0);
}

/// Everybody asks for places at once, and every fourth leaves again: those who stay have turns that are an interval
/// apart, each its own.
#[test]
fn turns_are_an_interval_apart_whoever_leaves() {
    const RATE: Quota = Quota::new(1000, Nanos::SECOND, 1);
    let table: FlowTable<Box<[Set]>> = FlowTable::own(64, SECRET);
    let (line, flow) = (Line::<()>::default(), flow(LimitKind::Request));
    let kept = Mutex::new(Vec::new());
    let deeper = RATE.deeper(Nanos::from_secs(3_600));
    together(|_| {
        for turn in 0..500 {
            let reserve = || {
                let done = table.charge(flow, deeper, START, 1)?;
                let turn = done.time.minus(RATE.depth());
                Ok::<_, floodwall_limiter::set::Refused>(Place {
                    turn,
                    charged: done.time,
                })
            };
            match line.enter(1, usize::MAX, START, (), reserve) {
                Ok(Placed::Waits(ticket)) if turn % 4 == 0 => line.leave(
                    ticket,
                    START,
                    |()| {},
                    |place| {
                        let done = floodwall_limiter::set::Done {
                            time: place.charged,
                            displaced: Nanos::ZERO,
                        };
                        table.refund(flow, deeper, done, START, 1);
                    },
                ),
                Ok(Placed::Waits(ticket)) => kept.lock().unwrap().push(ticket),
                Ok(Placed::AtOnce(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    let kept = kept.into_inner().unwrap();
    let mut turns: Vec<u64> = kept
        .iter()
        .map(|ticket| line.turn(*ticket).unwrap().minus(START).0)
        .collect();
    turns.sort_unstable();
    let apart: Vec<u64> = (1..=turns.len() as u64)
        .map(|turn| turn * RATE.interval().0)
        .collect();
    assert_eq!(turns, apart);
    assert_eq!(
        table.debt(flow, START),
        Nanos((turns.len() as u64 + 1) * RATE.interval().0)
    );
}

/// A cold key under eight threads: in every second no more than the curve gives one thread, and at most 1 % less
/// than its rate once it is warm.
#[test]
fn a_cold_key_is_never_over_its_curve_on_eight_threads() {
    const SECONDS: u64 = 14;
    let limit = WarmUp::new(Quota::new(100, Nanos::SECOND, 1), Nanos::from_secs(10), 3);
    let admitted = |threads: usize| -> Vec<u64> {
        let table: FlowTable<Box<[Set]>> = FlowTable::own(64, SECRET);
        let (clock, barrier) = (HandCrank::at(START), Barrier::new(threads));
        let counts: Vec<AtomicU64> = (0..SECONDS).map(|_| AtomicU64::new(0)).collect();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (table, clock, barrier, counts) = (&table, &clock, &barrier, &counts);
                scope.spawn(move || {
                    for step in 0..SECONDS * 1000 {
                        barrier.wait();
                        let now = clock.now();
                        let warmth = flow(LimitKind::Warmth);
                        let quota = limit.quota(table.time(warmth), now);
                        if table
                            .charge(flow(LimitKind::Request), quota, now, 1)
                            .is_ok()
                        {
                            table
                                .update(warmth, now, |word| Ok(limit.admitted(word, now)))
                                .unwrap();
                            let second = usize::try_from(step / 1000).unwrap();
                            counts[second].fetch_add(1, SeqCst);
                        }
                        if barrier.wait().is_leader() {
                            clock.turn(Nanos::from_millis(1));
                        }
                    }
                });
            }
        });
        counts.into_iter().map(AtomicU64::into_inner).collect()
    };
    let (alone, crowd) = (admitted(1), admitted(THREADS));
    for (one, many) in alone.iter().zip(&crowd) {
        assert!(many.abs_diff(*one) <= 2, "{alone:?} and {crowd:?}");
    }
    assert!((32..=36).contains(&crowd[0]), "{crowd:?}");
}
