//! Servers that are left out because they do badly.

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, eventually};

use crate::{front, statuses, upstream};

#[test]
fn a_server_that_fails_in_a_row_is_left_out_and_comes_back() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(500));
    let more = "outlier: { consecutive: 3, for: 2s }";
    let servers = [origin.address(), other.address()];
    let floodwall = Floodwall::start(&front(web, &servers, more));
    let answers = statuses(web, 20, "/");
    assert_eq!(answers.iter().filter(|status| **status == 500).count(), 3);
    assert_eq!((origin.count(), other.count()), (3, 17));
    let now = upstream(&floodwall);
    assert!(now["servers"][0]["out_for_seconds"].is_number(), "{now}");
    assert_eq!(
        (
            &now["servers"][0]["ejections"],
            &now["servers"][1]["ejections"]
        ),
        (&1.into(), &0.into())
    );
    let log = floodwall.log();
    assert!(log.contains(&format!(
        "{} is left out for 2 s: 3 bad answers in a row",
        origin.address()
    )));
    origin.be(Mood::Well);
    eventually!(Client::of(web).get("/").status == 200 && origin.count() > 3);
    assert!(upstream(&floodwall)["servers"][0]["out_for_seconds"].is_null());
}

#[test]
fn a_retry_does_not_ask_a_server_that_is_left_out() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::HangUp);
    let more = "outlier: { consecutive: 1, for: 60s }
    retries: { attempts: 1, on: [reset] }";
    let servers = [origin.address(), other.address()];
    let _floodwall = Floodwall::start(&front(web, &servers, more));
    assert_eq!(statuses(web, 10, "/"), [200; 10]);
    assert_eq!((origin.count(), other.count()), (1, 10));
}

#[test]
fn one_of_two_may_be_out_and_the_last_one_never() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(500));
    other.be(Mood::Status(500));
    let more = "outlier: { consecutive: 1, for: 60s }";
    let servers = [origin.address(), other.address()];
    let floodwall = Floodwall::start(&front(web, &servers, more));
    assert_eq!(statuses(web, 10, "/"), [500; 10]);
    let now = upstream(&floodwall);
    let out = now["servers"].as_array().unwrap().iter();
    assert_eq!(
        out.filter(|server| server["out_for_seconds"].is_number())
            .count(),
        1
    );
}

#[test]
fn a_server_that_does_worse_than_its_fellows_is_left_out_when_they_are_compared() {
    let (web, bad) = (Loopback::free(), Origin::start());
    bad.be(Mood::Status(500));
    let good: Vec<Origin> = (0..4).map(|_| Origin::start()).collect();
    let servers: Vec<_> = std::iter::once(&bad)
        .chain(&good)
        .map(Origin::address)
        .collect();
    let more = "outlier: { consecutive: 0, interval: 1s, for: 60s, success_rate: { min_servers: 5, min_requests: 10 } }";
    let floodwall = Floodwall::start(&front(web, &servers, more));
    // Never five in a row count here; the rates of an interval do.
    let out = |at: usize| upstream(&floodwall)["servers"][at]["out_for_seconds"].is_number();
    eventually!({
        statuses(web, 100, "/");
        out(0)
    });
    assert!((1..5).all(|at| !out(at)));
    let before = bad.count();
    assert_eq!(statuses(web, 20, "/"), [200; 20]);
    assert_eq!(bad.count(), before);
}

#[test]
fn each_time_is_longer_than_the_last() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    let more = "outlier: { consecutive: 1, for: 2s, max: 3s }";
    let servers = [origin.address(), other.address()];
    let floodwall = Floodwall::start(&front(web, &servers, more));
    let out = || upstream(&floodwall)["servers"][0]["out_for_seconds"].as_f64();
    // Twice as long the second time, but for what may be at the most.
    for longest in [2.0, 3.0] {
        origin.be(Mood::Status(500));
        eventually!(statuses(web, 2, "/").contains(&500));
        let left = out().expect("it is left out");
        assert!(
            (longest - 1.0..=longest).contains(&left),
            "{left} s of {longest} s"
        );
        origin.be(Mood::Well);
        eventually!(out().is_none());
    }
}
