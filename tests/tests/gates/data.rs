//! Who is in: listed, applied, deleted, and kept through kills and damage.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use floodwall_tests::{Client, Floodwall, Loopback, wait};

use super::{KEY, ask, buy, sale};

#[test]
fn lists_are_applied_at_once_and_deleted_at_once() {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&sale(web, &format!("{KEY}, max_admitted: 3, admit: 0%")));
    assert_eq!(ask(web, "user1").status, 403);
    let file = floodwall.folder().join("in.yaml");
    fs::write(&file, "id/user1: \"true\"\n\"id/a b\": \"true\"\n").unwrap();
    let file = file.to_str().expect("a plain path");
    let apply = || floodwall.ask(&["gate", "apply", "laptop", file]);
    assert_eq!(apply().stdout, "let in: 2\n");
    assert_eq!(apply().stdout, "let in: 0\n");
    assert_eq!(
        (ask(web, "user1").status, ask(web, "a b").status),
        (200, 200)
    );
    let list = floodwall.ask(&["gate", "list", "laptop"]).stdout;
    assert_eq!(list, "\"id/a b\": \"true\"\nid/user1: \"true\"\n");
    assert_eq!(
        floodwall.ask(&["gate", "delete", "laptop"]).stdout,
        "put out: 2\n"
    );
    assert_eq!(ask(web, "user1").status, 403);
    let unknown = floodwall.ask(&["gate", "list", "phone"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown
            .stderr
            .contains("there is no gate phone; there are laptop"),
        "{unknown:?}"
    );
    fs::write(file, "user1: yes\n").unwrap();
    let wrong = apply();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("the key `user1`"), "{wrong:?}");
}

#[test]
fn whoever_was_told_to_be_in_is_in_after_any_kill_and_there_are_never_too_many() {
    const PLACES: usize = 600;
    let web = Loopback::free();
    let gate = format!("{KEY}, max_admitted: {PLACES}");
    let mut floodwall = Floodwall::start(&sale(web, &gate));
    let told = Mutex::new(BTreeSet::new());
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..8 {
            let (told, next, over) = (&told, &next, &over);
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    let Ok(mut connection) = Client::of(web).connect() else {
                        thread::yield_now();
                        continue;
                    };
                    loop {
                        let user = format!("user{}", next.fetch_add(1, SeqCst));
                        match connection.send(&buy(&user)) {
                            Ok(answer) if answer.status == 200 => {
                                told.lock().unwrap().insert(user);
                            }
                            Ok(_) if !over.load(SeqCst) => {}
                            _ => break,
                        }
                    }
                }
            });
        }
        for kill in 1..=6 {
            // At another moment of the rush each time.
            let enough = || (told.lock().unwrap().len() >= kill * 80).then_some(());
            wait::until(wait::PATIENCE, enough).expect("admissions");
            floodwall.kill();
            floodwall.start_again();
        }
        over.store(true, SeqCst);
    });
    let told = told.into_inner().unwrap();
    let list = floodwall.json(&["gate", "list", "laptop", "--json"]);
    let kept: BTreeSet<String> = serde_json::from_value(list).unwrap();
    assert!(
        told.is_subset(&kept),
        "forgotten: {:?}",
        told.difference(&kept)
    );
    assert!(kept.len() <= PLACES, "{} of {PLACES} places", kept.len());
    assert!(told.len() >= 480);
}

#[test]
fn a_damaged_file_is_set_aside_and_said() {
    let web = Loopback::free();
    let mut floodwall = Floodwall::start(&sale(web, KEY));
    assert_eq!(ask(web, "ann").status, 200);
    floodwall.kill();
    let state = floodwall.folder().join("state");
    fs::write(state.join("gates.redb"), "no database").unwrap();
    floodwall.start_again();
    assert_eq!(ask(web, "ann").status, 200);
    assert!(state.join("gates.redb.damaged").exists());
    assert!(
        floodwall.log().contains("the gates' file is damaged"),
        "{}",
        floodwall.log()
    );
}
