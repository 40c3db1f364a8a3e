//! When an upstream is asked no more for a while, and how it comes back.

use std::{
    thread,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Mood, Origin, Request, Yaml, eventually};

use crate::{front, statuses, upstream};

const RATIO: &str = "breaker: { strategy: error_ratio, threshold: 50%, min_requests: 10, window: 10s, open_for: 2s, probes: 3 }";

#[test]
fn it_opens_on_the_request_that_completes_the_ratio() {
    let (web, admin, origin) = (Loopback::free(), Loopback::free(), Origin::start());
    let yaml = front(web, &[origin.address()], RATIO);
    let floodwall = Floodwall::start(&yaml.and(&format!("admin: {{ address: {admin} }}\n")));
    assert_eq!(statuses(web, 5, "/"), [200; 5]);
    assert_eq!(statuses(web, 5, "/status/500"), [500; 5]);
    let refused = Client::of(web).get("/refused");
    assert_eq!((refused.status, origin.count()), (503, 10));
    assert!(refused.body.contains("breaker is open"), "{}", refused.body);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&seconds));
    let json = Client::of(web).send(&Request::get("/").header("Accept", "application/json"));
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(json["upstream"], "app");
    let line = floodwall.logged(|line| line["path"] == "/refused");
    assert_eq!(line["verdict"], "unavailable");
    assert_eq!(line["error"], "the upstream's breaker is open");
    assert_eq!(line["upstream"], "app");
    let upstream = upstream(&floodwall);
    assert_eq!(upstream["breaker"]["state"], "open");
    assert_eq!(
        (&upstream["refused_open"], &upstream["breaker_opened"]),
        (&2.into(), &1.into())
    );
    let metrics = Client::of(admin).get("/metrics").body;
    for line in [
        "floodwall_upstream_breaker_state{upstream=\"app\",server=\"\"} 2",
        "floodwall_upstream_breaker_opened_total{upstream=\"app\"} 1",
        "floodwall_upstream_refused_total{upstream=\"app\",reason=\"open\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let shown = floodwall.ask(&["status"]).stdout;
    assert!(shown.contains("tries again in"), "{shown}");
    let explained = floodwall.json(&["explain", "--json", "/"]);
    assert_eq!(explained["action"]["unavailable"]["status"], 503);
    assert!(
        floodwall
            .log()
            .contains("the breaker of upstream app opened: 5 of 10")
    );
}

#[test]
fn half_open_lets_exactly_its_probes_in_and_their_success_closes_it() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let floodwall = Floodwall::start(&front(web, &[origin.address()], RATIO));
    statuses(web, 10, "/status/500");
    eventually!(upstream(&floodwall)["breaker"]["state"] == "half_open");
    let slow: Vec<_> = (0..6)
        .map(|_| thread::spawn(move || Client::of(web).get("/slow/1000").status))
        .collect();
    let mut answers: Vec<u16> = slow.into_iter().map(|each| each.join().unwrap()).collect();
    answers.sort_unstable();
    assert_eq!(answers, [200, 200, 200, 503, 503, 503]);
    assert_eq!(origin.count(), 13);
    assert_eq!(upstream(&floodwall)["breaker"]["state"], "closed");
    assert_eq!(statuses(web, 4, "/"), [200; 4]);
}

#[test]
fn one_failure_reopens_it() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, &[origin.address()], RATIO).with("open_for: 2s", "open_for: 1s");
    let floodwall = Floodwall::start(&yaml);
    statuses(web, 10, "/status/500");
    eventually!(upstream(&floodwall)["breaker"]["state"] == "half_open");
    assert_eq!(statuses(web, 2, "/status/502"), [502, 503]);
    assert_eq!(upstream(&floodwall)["breaker"]["state"], "open");
    assert_eq!(origin.count(), 11);
}

#[test]
fn answers_that_do_not_come_are_errors_and_those_that_nobody_waits_for_are_not() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "breaker: { strategy: error_count, threshold: 3, min_requests: 1, open_for: 60s }
    timeouts: { read: 500ms }";
    let floodwall = Floodwall::start(&front(web, &[origin.address()], more));
    for _ in 0..10 {
        let mut connection = Client::of(web).connect().unwrap();
        connection
            .write(b"GET /slow/400 HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
    }
    eventually!(origin.count() == 10);
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    assert_eq!(upstream(&floodwall)["breaker"]["bad"], 0);
    assert_eq!(statuses(web, 1, "/slow/2000"), [504]);
    origin.be(Mood::BreakOff);
    let _ = Client::of(web).exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    eventually!(upstream(&floodwall)["breaker"]["bad"] == 2);
    origin.be(Mood::HangUp);
    assert_eq!(statuses(web, 2, "/"), [502, 503]);
}

#[test]
fn slow_answers_open_one_that_looks_at_time() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more =
        "breaker: { strategy: slow_ratio, slow_after: 200ms, threshold: 50%, min_requests: 5 }";
    let _floodwall = Floodwall::start(&front(web, &[origin.address()], more));
    assert_eq!(
        statuses(web, 2, "/status/500"),
        [500; 2],
        "soon is good enough"
    );
    assert_eq!(statuses(web, 3, "/slow/250"), [200; 3]);
    assert_eq!(statuses(web, 1, "/"), [503]);
}

#[test]
fn a_server_of_its_own_breaker_is_passed_over() {
    let (web, origin, other) = (Loopback::free(), Origin::start(), Origin::start());
    origin.be(Mood::Status(500));
    let more = "breaker: { strategy: error_count, threshold: 2, min_requests: 2, open_for: 60s, per: server }";
    let servers = [origin.address(), other.address()];
    let floodwall = Floodwall::start(&front(web, &servers, more));
    let answers = statuses(web, 20, "/");
    assert_eq!(answers.iter().filter(|status| **status == 500).count(), 2);
    assert_eq!((origin.count(), other.count()), (2, 18));
    let upstream = upstream(&floodwall);
    assert_eq!(upstream["servers"][0]["breaker"]["state"], "open");
    assert_eq!(upstream["servers"][1]["breaker"]["state"], "closed");
    assert!(
        floodwall
            .ask(&["status"])
            .stdout
            .contains("one for each server")
    );
    other.be(Mood::Status(500));
    assert_eq!(statuses(web, 3, "/"), [500, 500, 503]);
}

#[test]
fn an_open_one_answers_as_the_file_says() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "breaker: { strategy: error_count, threshold: 1, min_requests: 1, open_for: 60s, \
                open: { status: 418, headers: { x-open: \"yes\", retry-after: \"7\" }, body: \"later\\n\" } }";
    let _floodwall = Floodwall::start(&front(web, &[origin.address()], more));
    statuses(web, 1, "/status/500");
    let refused = Client::of(web).get("/");
    assert_eq!((refused.status, refused.body.as_str()), (418, "later\n"));
    assert_eq!(
        (refused.header("x-open"), refused.header("retry-after")),
        (Some("yes"), Some("7"))
    );
}

#[test]
fn an_open_one_sends_to_its_fallback() {
    let (web, origin, spare) = (Loopback::free(), Origin::start(), Origin::start());
    let more = "breaker: { strategy: error_count, threshold: 1, min_requests: 1, open_for: 60s, fallback: spare }";
    let yaml = front(web, &[origin.address()], more).with(
        "routes:\n",
        format!(
            "  spare:\n    servers: [{}]\n    breaker: {{ strategy: error_count, threshold: 1, min_requests: 1, open_for: 60s }}\nroutes:\n",
            spare.address()
        ),
    );
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(statuses(web, 1, "/status/500"), [500]);
    assert_eq!(statuses(web, 3, "/spare"), [200; 3]);
    assert_eq!((origin.count(), spare.count()), (1, 3));
    let line = floodwall.logged(|line| line["path"] == "/spare");
    assert_eq!(line["upstream"], "spare");
    let explained = floodwall.json(&["explain", "--json", "/"]);
    assert_eq!(explained["action"]["upstream"]["name"], "spare");
    assert_eq!(
        statuses(web, 2, "/status/500"),
        [500, 503],
        "its own breaker counts"
    );
}

#[test]
fn its_state_survives_a_reload() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "breaker: { strategy: error_count, threshold: 2, min_requests: 2, open_for: 60s }";
    let yaml = front(web, &[origin.address()], more);
    let floodwall = Floodwall::start(&yaml);
    let load = |yaml: &Yaml| {
        floodwall.write(yaml);
        assert_eq!(floodwall.reload().code, Some(0));
    };
    statuses(web, 1, "/status/500");
    load(&yaml.clone().with("name: all", "name: every"));
    statuses(web, 1, "/status/500");
    assert_eq!(statuses(web, 1, "/"), [503], "it counted on");
    load(
        &yaml
            .clone()
            .with("threshold: 2", "threshold: 5, window: 20s"),
    );
    assert_eq!(
        statuses(web, 1, "/"),
        [503],
        "it is open by other rules too"
    );
    load(&front(web, &[origin.address()], ""));
    assert_eq!(statuses(web, 1, "/"), [200]);
    load(&yaml);
    assert_eq!(statuses(web, 1, "/"), [200], "a new one is closed");
}

#[test]
fn a_probe_without_an_answer_gives_its_place_to_another() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "breaker: { strategy: error_count, threshold: 1, min_requests: 1, open_for: 1s }";
    let floodwall = Floodwall::start(&front(web, &[origin.address()], more));
    assert_eq!(statuses(web, 2, "/status/500"), [500, 503]);
    eventually!(upstream(&floodwall)["breaker"]["state"] == "half_open");
    let mut probe = Client::of(web).connect().unwrap();
    let begun = Instant::now();
    probe
        .write(b"GET /slow/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    eventually!(origin.count() == 2);
    // As long as it may still answer, nobody else is let in.
    let refused = statuses(web, 1, "/");
    let early = begun.elapsed() < Duration::from_secs(1);
    assert!(refused == [503] || !early, "{refused:?}");
    eventually!(statuses(web, 1, "/") == [200]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(upstream(&floodwall)["breaker"]["state"], "closed");
    drop(probe);
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    assert_eq!(upstream(&floodwall)["breaker"]["state"], "closed");
}

/// The origin closes the connection that was kept, as one that is restarted does: that is no failure of the probe.
#[test]
fn a_probe_on_a_connection_that_went_stale_is_sent_on_another() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let more = "breaker: { strategy: error_count, threshold: 1, min_requests: 1, open_for: 500ms }";
    let yaml = front(web, &[origin.address()], more).with("threads: 2", "threads: 1");
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(statuses(web, 2, "/status/500"), [500, 503]);
    assert_eq!(origin.connections(), 1);
    eventually!(upstream(&floodwall)["breaker"]["state"] == "half_open");
    origin.hang_up_next();
    assert_eq!(statuses(web, 2, "/"), [200, 200]);
    assert_eq!(upstream(&floodwall)["breaker"]["state"], "closed");
    assert_eq!(origin.connections(), 2);
}
