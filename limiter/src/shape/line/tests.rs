use std::cell::{Cell, RefCell};

use super::*;
use crate::{Quota, gcra};

const NOW: Nanos = Nanos::from_secs(5);
/// Ten a second, one at once, and a line of half a second.
const RATE: Quota = Quota::new(10, Nanos::SECOND, 1);
const MAX_WAIT: Nanos = Nanos::from_millis(500);

/// A pacer over one cell, as the flow table would keep it.
#[derive(Default)]
struct Pacer {
    line: Line<&'static str>,
    tat: Cell<u64>,
}

impl Pacer {
    fn ask(&self, now: Nanos, name: &'static str) -> Result<Entered, Nanos> {
        self.line.enter(1, 1000, now, name, || {
            match gcra::step(Nanos(self.tat.get()), RATE.deeper(MAX_WAIT), now, 1) {
                gcra::Step::Admit { tat } => {
                    self.tat.set(tat.0);
                    let turn = tat.minus(RATE.depth());
                    Ok(Place { turn, charged: tat })
                }
                gcra::Step::Refuse { retry_after } => Err(retry_after),
            }
        })
    }

    fn leave(&self, ticket: Ticket, now: Nanos) -> Vec<&'static str> {
        let woken = RefCell::new(Vec::new());
        self.line.leave(
            ticket,
            now,
            |name| woken.borrow_mut().push(*name),
            |place| {
                assert_eq!(
                    place.charged.0,
                    self.tat.get(),
                    "the last place is the one that is free"
                );
                self.tat.set(self.tat.get() - RATE.interval().0);
            },
        );
        woken.into_inner()
    }
}

fn ticket(entered: Result<Entered, Nanos>) -> Ticket {
    match entered {
        Ok(Entered::Waits(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn twenty_at_once_are_six_a_hundred_milliseconds_apart_and_fourteen_refusals() {
    let pacer = Pacer::default();
    let all: Vec<_> = (0..20).map(|_| pacer.ask(NOW, "")).collect();
    assert!(matches!(all[0], Ok(Entered::AtOnce(_))));
    for (number, entered) in all.iter().enumerate().take(6).skip(1) {
        let turn = pacer.line.turn(ticket(*entered)).unwrap();
        assert_eq!(turn.minus(NOW), Nanos::from_millis(100 * number as u64));
    }
    assert!(
        all[6..]
            .iter()
            .all(|entered| *entered == Err(Nanos::from_millis(100)))
    );
    assert_eq!(pacer.line.waiting(), 5);
}

#[test]
fn whoever_leaves_lets_those_behind_move_up_and_frees_the_last_place() {
    let pacer = Pacer::default();
    pacer.ask(NOW, "first").unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| ticket(pacer.ask(NOW, name)));
    assert_eq!(pacer.leave(a, NOW), ["b", "c"]);
    let turn = |ticket| pacer.line.turn(ticket).map(|turn| turn.minus(NOW));
    assert_eq!(
        [turn(a), turn(b), turn(c)],
        [
            None,
            Some(Nanos::from_millis(100)),
            Some(Nanos::from_millis(200))
        ]
    );
    let d = ticket(pacer.ask(NOW, "d"));
    assert_eq!(turn(d), Some(Nanos::from_millis(300)));
    assert_eq!(pacer.leave(d, NOW), [""; 0]);
    assert_eq!(
        turn(ticket(pacer.ask(NOW, "e"))),
        Some(Nanos::from_millis(300))
    );
}

#[test]
fn a_place_whose_turn_has_come_is_not_given_to_two() {
    let pacer = Pacer::default();
    pacer.ask(NOW, "first").unwrap();
    let [a, b] = ["a", "b"].map(|name| ticket(pacer.ask(NOW, name)));
    let later = NOW.plus(Nanos::from_millis(150));
    assert_eq!(pacer.leave(a, later), [""; 0]);
    assert_eq!(pacer.line.turn(b), Some(NOW.plus(Nanos::from_millis(200))));
    pacer.line.go(b);
    assert_eq!(pacer.line.waiting(), 0);
}

#[test]
fn one_too_many_is_refused_without_a_reservation() {
    let line = Line::<()>::default();
    let place = Place {
        turn: Nanos::MAX,
        charged: Nanos::MAX,
    };
    let enter = |most| line.enter(7, most, NOW, (), || Ok::<_, ()>(place));
    assert!(matches!(enter(1), Ok(Entered::Waits(_))));
    let full = line.enter(7, 1, NOW, (), || -> Result<Place, ()> {
        panic!("nothing is reserved")
    });
    assert_eq!(full, Ok(Entered::Full));
}

#[test]
fn keys_do_not_wait_for_each_other() {
    let line = Line::<&'static str>::default();
    let place = |millis| Place {
        turn: NOW.plus(Nanos::from_millis(millis)),
        charged: Nanos(millis),
    };
    let enter = |key, millis, name| line.enter(key, 9, NOW, name, || Ok::<_, Nanos>(place(millis)));
    let one = ticket(enter(1, 100, "one"));
    let other = ticket(enter(2, 100, "other"));
    line.leave(
        one,
        NOW,
        |name| panic!("{name} moved"),
        |free| assert_eq!(free, place(100)),
    );
    assert_eq!(line.turn(other), Some(place(100).turn));
}
