//! More people than places, at one moment.

use std::{sync::Barrier, thread};

use floodwall_tests::{Client, Connection, Control, Floodwall, Loopback};

use super::{KEY, buy, sale};

const FIGHTS: usize = 1000;
const BUYERS: usize = 64;
const PLACES: usize = 100;

#[test]
fn sixty_four_who_fight_for_a_hundred_places_get_a_hundred_a_thousand_times() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&sale(web, &format!("{KEY}, max_admitted: {PLACES}")));
    let mut control = Control::of(&floodwall);
    // Between two fights all wait for each other, and this thread empties the gate.
    let (start, end) = (Barrier::new(BUYERS + 1), Barrier::new(BUYERS + 1));
    let buyers = 0..BUYERS;
    thread::scope(|scope| {
        let wins: Vec<_> = buyers
            .map(|buyer| {
                let (start, end) = (&start, &end);
                scope.spawn(move || {
                    let mut connection = Client::of(web).connect().expect("the proxy accepts");
                    let mut fight = |fight| {
                        start.wait();
                        let won = fights(&mut connection, fight, buyer);
                        end.wait();
                        won
                    };
                    (0..FIGHTS).map(&mut fight).collect::<Vec<usize>>()
                })
            })
            .collect();
        for fight in 0..FIGHTS {
            start.wait();
            end.wait();
            let emptied =
                control.ask(&serde_json::json!({ "delete_guests": { "gate": "laptop" } }));
            assert_eq!(
                emptied["guests_changed"]["count"], PLACES,
                "places of fight {fight}"
            );
        }
        let mut won = vec![0; FIGHTS];
        for buyer in wins {
            let each = buyer.join().expect("a buyer who was answered");
            won.iter_mut()
                .zip(each)
                .for_each(|(won, more)| *won += more);
        }
        assert_eq!(won, vec![PLACES; FIGHTS], "answers of 200 in each fight");
    });
}

/// Two people on one connection ask, and so many are let in.
fn fights(connection: &mut Connection, fight: usize, buyer: usize) -> usize {
    let users = (0..2).map(|user| format!("{fight}-{buyer}-{user}"));
    let answers = users.map(|user| connection.send(&buy(&user)).expect("an answer").status);
    answers.filter(|status| *status == 200).count()
}

#[test]
fn one_buyer_on_many_connections_has_one_place() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&sale(web, &format!("{KEY}, max_admitted: 2")));
    let start = Barrier::new(32);
    thread::scope(|scope| {
        for _ in 0..32 {
            let start = &start;
            scope.spawn(move || {
                let mut connection = Client::of(web).connect().expect("the proxy accepts");
                start.wait();
                assert_eq!(connection.send(&buy("ann")).expect("an answer").status, 200);
            });
        }
    });
    assert_eq!(floodwall.status()["gates"][0]["admitted"], 1);
}
