//! A service that is killed again and again while people are let in.

use std::{
    collections::{BTreeSet, hash_map::RandomState},
    hash::BuildHasher,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use floodwall_tests::{Client, Connection, Floodwall, Loopback, wait};

use super::{KEY, ask, buy, sale};

const PLACES: usize = 10_000;
const KILLS: usize = 12;
const BUYERS: usize = 32;

/// Those who were answered with 200.
#[derive(Debug, Default)]
struct Told(Mutex<BTreeSet<String>>);

impl Told {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[test]
fn ten_thousand_are_let_in_through_any_kills_each_once_and_nobody_is_forgotten() {
    let web = Loopback::free();
    let gate = format!("{KEY}, max_admitted: {PLACES}");
    let mut floodwall = Floodwall::start(&sale(web, &gate));
    let (told, next) = (Told::default(), AtomicUsize::new(0));
    let seed = RandomState::new();
    thread::scope(|scope| {
        for _ in 0..BUYERS {
            scope.spawn(|| buy_until_all_are_sold(web, &next, &told));
        }
        for kill in 0..KILLS {
            // At a moment of the rush that nobody knows.
            let part = PLACES / KILLS;
            let chance =
                usize::try_from(seed.hash_one(kill) % part as u64).expect("a small number");
            let enough = || (told.count() >= kill * part + chance).then_some(());
            wait::until(wait::PATIENCE * 3, enough).expect("admissions");
            floodwall.kill();
            floodwall.start_again();
        }
    });
    let told = told.0.into_inner().unwrap();
    floodwall.kill();
    floodwall.start_again();
    let list = floodwall.json(&["gate", "list", "laptop", "--json"]);
    let kept: BTreeSet<String> = serde_json::from_value(list).unwrap();
    assert_eq!(kept.len(), PLACES, "as many as there are places");
    assert!(
        told.is_subset(&kept),
        "forgotten: {:?}",
        told.difference(&kept)
    );
    assert_eq!(
        told.len(),
        PLACES,
        "everybody who is in was told in the end"
    );
    let gate = &floodwall.status()["gates"][0];
    assert_eq!(gate["admitted"], PLACES, "nobody holds two places");
    assert_eq!(ask(web, "late").status, 403);
    for user in told.iter().step_by(101) {
        assert_eq!(ask(web, user).status, 200, "{user}");
    }
}

/// Asks for one person after another, and for each until there is an answer, whatever became of the last service.
fn buy_until_all_are_sold(web: SocketAddr, next: &AtomicUsize, told: &Told) {
    let mut connection = None;
    loop {
        let user = format!("user{}", next.fetch_add(1, SeqCst));
        match answer(web, &mut connection, &user) {
            200 => told.0.lock().unwrap().insert(user),
            403 => return,
            other => panic!("{user} was answered with {other}"),
        };
    }
}

fn answer(web: SocketAddr, connection: &mut Option<Connection>, user: &str) -> u16 {
    let answer = wait::until(wait::PATIENCE * 3, || {
        if connection.is_none() {
            *connection = Client::of(web).connect().ok();
        }
        let answer = connection.as_mut()?.send(&buy(user));
        if answer.is_err() {
            *connection = None;
        }
        answer.ok()
    });
    answer.expect("a service that is started again").status
}
