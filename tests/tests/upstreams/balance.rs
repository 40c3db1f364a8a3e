//! Which server a request goes to.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, eventually};

use crate::{front, statuses, upstream};

fn three() -> [Origin; 3] {
    [(); 3].map(|()| Origin::start())
}

#[test]
fn a_key_has_one_server_and_another_one_when_that_is_gone() {
    let (web, origins) = (Loopback::free(), three());
    let servers = origins.each_ref().map(Origin::address);
    let floodwall = Floodwall::start(&front(web, &servers, "balance: hash(header(x-user))"));
    let ask = |user: &str| {
        Client::of(web)
            .send(&Request::new("GET", "/").header("x-user", user))
            .status
    };
    for user in 0..30 {
        let before = origins.each_ref().map(Origin::count);
        (0..4).for_each(|_| assert_eq!(ask(&user.to_string()), 200));
        let after = origins.each_ref().map(Origin::count);
        let got: Vec<_> = after
            .iter()
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        assert!(got.contains(&4), "all of user {user}'s to one: {got:?}");
    }
    assert!(
        origins.iter().all(|origin| origin.count() > 0),
        "30 users on three servers"
    );
    let explain = |user: &str| {
        let header = format!("x-user: {user}");
        floodwall.json(&["explain", "--json", "--header", &header, "/"])["action"]["upstream"]["servers"].clone()
    };
    let order = explain("7");
    let first = origins
        .iter()
        .position(|origin| order[0] == origin.address().to_string())
        .unwrap();
    let before = origins[first].count();
    assert_eq!(ask("7"), 200);
    assert_eq!(origins[first].count(), before + 1, "as explained");
    let mut left = origins.into_iter().collect::<Vec<_>>();
    drop(left.remove(first));
    // The connection fails, and the next in its order is asked.
    assert_eq!(ask("7"), 200);
    let second = left
        .iter()
        .find(|origin| order[1] == origin.address().to_string())
        .unwrap();
    assert_eq!(second.seen().last().unwrap().header("x-user"), Some("7"));
}

#[test]
fn the_less_busy_of_two_is_asked() {
    let (web, slow, quick) = (Loopback::free(), Origin::start(), Origin::start());
    let servers = [slow.address(), quick.address()];
    let floodwall = Floodwall::start(&front(web, &servers, "balance: least_request"));
    // Whichever gets it is busy from now on.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Client::of(web).get("/slow/1500").status);
        eventually!(slow.count() + quick.count() == 1);
        let (busy, idle) = if slow.count() == 1 {
            (&slow, &quick)
        } else {
            (&quick, &slow)
        };
        let in_flight = || {
            let status = upstream(&floodwall);
            let servers = status["servers"].as_array().unwrap().iter();
            servers
                .filter_map(|each| each["in_flight"].as_u64())
                .sum::<u64>()
        };
        for _ in 0..20 {
            // A client has its answer a little before its server is counted idle.
            eventually!(in_flight() == 1);
            assert_eq!(statuses(web, 1, "/"), [200]);
        }
        // Both are drawn each time, unless one misses all of its sixteen draws.
        assert_eq!((busy.count(), idle.count()), (1, 20));
        assert_eq!(waiting.join().unwrap(), 200);
    });
}

#[test]
fn chance_gives_every_server_its_part() {
    let (web, origins) = (Loopback::free(), three());
    let servers = origins.each_ref().map(Origin::address);
    let _floodwall = Floodwall::start(&front(web, &servers, "balance: random"));
    assert_eq!(statuses(web, 150, "/"), [200; 150]);
    let counts = origins.each_ref().map(Origin::count);
    assert!(
        counts.iter().all(|count| (20..90).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn a_server_that_is_taken_out_finishes_what_it_has() {
    let (web, old, new) = (Loopback::free(), Origin::start(), Origin::start());
    let floodwall = Floodwall::start(&front(web, &[old.address()], ""));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Client::of(web).get("/slow/800").status);
        eventually!(old.count() == 1);
        floodwall.write(&front(web, &[new.address()], ""));
        assert_eq!(floodwall.reload().code, Some(0));
        assert_eq!(statuses(web, 5, "/"), [200; 5]);
        assert_eq!(waiting.join().unwrap(), 200);
    });
    assert_eq!((old.count(), new.count()), (1, 5));
}
