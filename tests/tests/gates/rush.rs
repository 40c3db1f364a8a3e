//! More people than places, at one moment.

use std::{sync::Barrier, thread};

use floodwall_tests::{Client, Floodwall, Loopback};

use super::{KEY, buy, sale};

#[test]
fn sixty_four_who_fight_for_a_hundred_places_get_a_hundred_every_time() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&sale(web, &format!("{KEY}, max_admitted: 100")));
    // A thousand fights would take minutes on a crowded machine, and need no more code.
    for fight in 0..20 {
        let start = Barrier::new(64);
        let won: usize = thread::scope(|scope| {
            let buyers: Vec<_> = (0..64)
                .map(|buyer| {
                    let start = &start;
                    scope.spawn(move || {
                        let mut connection = Client::of(web).connect().expect("the proxy accepts");
                        start.wait();
                        let tries = (0..4).map(|n| {
                            let user = format!("{fight}-{buyer}-{n}");
                            connection.send(&buy(&user)).expect("an answer").status
                        });
                        tries.filter(|status| *status == 200).count()
                    })
                })
                .collect();
            buyers.into_iter().map(|buyer| buyer.join().unwrap()).sum()
        });
        assert_eq!(won, 100, "in fight {fight}");
        let names = floodwall.json(&["gate", "list", "laptop", "--json"]);
        assert_eq!(names.as_array().expect("a list").len(), 100);
        assert_eq!(
            floodwall.ask(&["gate", "delete", "laptop"]).stdout,
            "put out: 100\n"
        );
    }
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
