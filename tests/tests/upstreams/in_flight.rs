//! How much an upstream is asked at one time.

use std::thread;

use floodwall_tests::{Client, Floodwall, Loopback, Origin, eventually};

use crate::{front, upstream};

#[test]
fn the_fourth_at_one_time_is_refused_at_once() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, &[origin.address()], "max_in_flight: 3"));
    let slow = [(); 3].map(|()| thread::spawn(move || Client::of(web).get("/slow/1500").status));
    eventually!(origin.count() == 3);
    assert_eq!(upstream(&floodwall)["in_flight"], 3);
    let refused = Client::of(web).get("/fourth");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    let explained = floodwall.json(&["explain", "--json", "/"]);
    assert_eq!(explained["action"]["unavailable"]["status"], 503);
    assert_eq!(slow.map(|each| each.join().unwrap()), [200; 3]);
    assert_eq!(origin.count(), 3);
    let line = floodwall.logged(|line| line["path"] == "/fourth");
    assert_eq!(line["verdict"], "unavailable");
    eventually!(upstream(&floodwall)["in_flight"] == 0);
    assert_eq!(upstream(&floodwall)["refused_full"], 1);
    assert_eq!(Client::of(web).get("/").status, 200);
}

#[test]
fn clients_that_leave_take_nothing_with_them() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "max_in_flight: 100
    breaker: { strategy: error_ratio, threshold: 1%, min_requests: 1 }
    retries: { attempts: 2, on: [connect, reset, timeout, 5xx] }";
    let floodwall = Floodwall::start(&front(web, &[origin.address()], more));
    for _ in 0..20 {
        let gone: Vec<_> = (0..50)
            .map(|_| {
                let mut connection = Client::of(web).connect().unwrap();
                connection
                    .write(b"GET /slow/100 HTTP/1.1\r\nHost: a\r\n\r\n")
                    .unwrap();
                connection
            })
            .collect();
        drop(gone);
    }
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    let upstream = upstream(&floodwall);
    assert_eq!(upstream["in_flight"], 0);
    assert_eq!(upstream["breaker"]["state"], "closed");
    assert_eq!(upstream["breaker"]["bad"], 0);
    assert_eq!(Client::of(web).get("/").status, 200);
}
