//! How much an upstream is asked at one time.

use std::{
    thread,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, eventually, wait};

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

/// The origin works on four at one time, each for 20 ms: two hundred a second, whatever is asked.
#[test]
fn an_adaptive_bound_finds_out_what_the_upstream_can_do() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "max_in_flight: { adaptive: { min: 1, max: 500, measure_every: 1s } }";
    let floodwall = Floodwall::start(&front(web, &[origin.address()], more));
    let crowd: Vec<_> = (0..64)
        .map(|_| {
            thread::spawn(move || {
                let end = Instant::now() + Duration::from_secs(8);
                let mut answered = 0;
                while Instant::now() < end {
                    let asked = Instant::now();
                    let status = Client::of(web).get("/work/20").status;
                    answered += usize::from(status == 200);
                    wait::for_the_clock(asked + Duration::from_millis(50));
                }
                answered
            })
        })
        .collect();
    let answered: usize = crowd.into_iter().map(|each| each.join().unwrap()).sum();
    let now = upstream(&floodwall);
    let most = now["max_in_flight"].as_u64().unwrap();
    // Four at work, and a queue as long as that at the most, where 64 would like to be.
    assert!((2..=24).contains(&most), "{now}");
    assert!(now["unqueued_ms"].as_f64().unwrap() >= 20.0, "{now}");
    assert_ne!(now["refused_full"], 0);
    assert!(answered > 800, "{answered} of 1600");
    eventually!(upstream(&floodwall)["in_flight"] == 0);
}

/// Ten thousand clients, of whom each leaves while the upstream works for it.
#[test]
fn clients_that_leave_take_nothing_with_them() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "max_in_flight: 1000
    breaker: { strategy: error_ratio, threshold: 1%, min_requests: 1 }
    outlier: { consecutive: 1 }
    retries: { attempts: 2, on: [connect, reset, timeout, 5xx] }";
    let floodwall = Floodwall::start(&front(web, &[origin.address()], more));
    for round in 1..=100 {
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let mut connection = Client::of(web).connect().unwrap();
                connection
                    .write(b"GET /slow/500 HTTP/1.1\r\nHost: a\r\n\r\n")
                    .unwrap();
                connection
            })
            .collect();
        eventually!(origin.count() == 100 * round);
        drop(clients);
    }
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    let upstream = upstream(&floodwall);
    assert_eq!(upstream["in_flight"], 0);
    assert_eq!(
        (&upstream["breaker"]["state"], &upstream["breaker"]["bad"]),
        (&"closed".into(), &0.into())
    );
    assert_eq!(upstream["servers"][0]["ejections"], 0);
    assert_eq!(
        (&upstream["requests"], &upstream["retries"]),
        (&10_000.into(), &0.into())
    );
    assert_eq!(Client::of(web).get("/").status, 200);
}
