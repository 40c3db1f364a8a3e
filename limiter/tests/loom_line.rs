//! Every interleaving of requests that queue for a rate, leave the line, and come anew.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p floodwall-limiter --test loom_line`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a model that unwraps says at once what failed"
)]

use floodwall_limiter::{
    FlowId, FlowTable, KeyHash, LimitId, LimitKind, Nanos, Quota, Secret,
    set::{Done, Refused},
    shape::line::{Entered, Line, Place, Ticket},
    table::Set,
};
use loom::{sync::Arc, thread};

const NOW: Nanos = Nanos::from_secs(1);
const TURN: u64 = Nanos::SECOND.0;
const SECRET: Secret = Secret { k0: 1, k1: 2 };
/// One at once, and one more each second.
const QUOTA: Quota = Quota::new(1, Nanos::SECOND, 1);

/// A limit whose one key has spent what it may at once.
struct Queue {
    table: FlowTable<Vec<Set>>,
    line: Line<()>,
}

impl Queue {
    fn spent() -> Self {
        let queue = Self {
            table: FlowTable::over(vec![Set::default()], SECRET),
            line: Line::default(),
        };
        assert!(queue.charge(QUOTA).is_ok());
        queue
    }

    fn charge(&self, quota: Quota) -> Result<Done, Refused> {
        self.table.charge(flow(), quota, NOW, 1)
    }

    /// Takes a place, for which there is room in these models.
    fn enter(&self) -> Ticket {
        let reserve = || {
            let done = self.charge(QUOTA.deeper(Nanos::from_secs(10)))?;
            Ok::<_, Refused>(Place {
                turn: done.time.minus(QUOTA.depth()),
                charged: done.time,
            })
        };
        match self.line.enter(key().bits(), 9, NOW, (), reserve).unwrap() {
            Entered::Waits(ticket) => ticket,
            other => panic!("{other:?}: there is nothing to have at once"),
        }
    }

    fn leave(&self, ticket: Ticket) {
        let refund = |place: Place| {
            let done = Done {
                time: place.charged,
                displaced: Nanos::ZERO,
            };
            self.table.refund(flow(), QUOTA, done, NOW, 1);
        };
        self.line.leave(ticket, NOW, |()| {}, refund);
    }

    /// How many turns from now it is somebody's.
    fn turns(&self, ticket: Ticket) -> u64 {
        self.line.turn(ticket).unwrap().minus(NOW).0 / TURN
    }

    /// What the key owes, in turns.
    fn owed(&self) -> u64 {
        self.table.debt(flow(), NOW).0 / TURN
    }
}

fn key() -> KeyHash {
    KeyHash::of_port(SECRET, 1)
}

fn flow() -> FlowId {
    FlowId::new(key(), LimitId::new(SECRET, LimitKind::Request, "model"))
}

/// Runs both at once and answers with what each said.
fn both<A: Send + 'static, B>(
    queue: &Arc<Queue>,
    there: impl Fn(&Queue) -> A + Send + 'static,
    here: impl Fn(&Queue) -> B,
) -> (A, B) {
    let theirs = Arc::clone(queue);
    let other = thread::spawn(move || there(&theirs));
    let ours = here(queue);
    (other.join().unwrap(), ours)
}

#[test]
fn two_who_come_at_once_have_turns_of_their_own() {
    loom::model(|| {
        let queue = Arc::new(Queue::spent());
        let (one, other) = both(&queue, Queue::enter, Queue::enter);
        let mut turns = [queue.turns(one), queue.turns(other)];
        turns.sort_unstable();
        assert_eq!((turns, queue.owed()), ([1, 2], 3));
    });
}

#[test]
fn whoever_comes_while_the_first_leaves_is_the_first_then() {
    loom::model(|| {
        let queue = Arc::new(Queue::spent());
        let first = queue.enter();
        let ((), second) = both(&queue, move |queue| queue.leave(first), Queue::enter);
        assert_eq!((queue.turns(second), queue.owed()), (1, 2));
        assert_eq!(queue.line.waiting(), 1);
    });
}

#[test]
fn two_who_leave_at_once_leave_one_place_before_the_third() {
    loom::model(|| {
        let queue = Arc::new(Queue::spent());
        let [first, second, third] = [(); 3].map(|()| queue.enter());
        both(
            &queue,
            move |queue| queue.leave(second),
            move |queue| queue.leave(first),
        );
        assert_eq!((queue.turns(third), queue.owed()), (1, 2));
        queue.leave(third);
        assert_eq!((queue.line.waiting(), queue.owed()), (0, 1));
    });
}

/// A newcomer who asks without the line's lock.
#[test]
fn nobody_is_admitted_past_the_line_while_a_place_in_it_is_given_back() {
    loom::model(|| {
        let queue = Arc::new(Queue::spent());
        let [first, second] = [(); 2].map(|()| queue.enter());
        let ((), newcomer) = both(
            &queue,
            move |queue| queue.leave(first),
            |queue| queue.charge(QUOTA),
        );
        assert!(newcomer.is_err(), "{newcomer:?}");
        assert_eq!((queue.turns(second), queue.owed()), (1, 2));
    });
}
