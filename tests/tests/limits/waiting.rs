//! Requests that wait, and requests that are under way: in order, in time, and without a trace once they are gone.

use std::{
    thread,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Echo, Floodwall, Loopback, Origin, Request, eventually, wait};

use crate::{limited, shapes::proxied};

/// A gauge of the first limit.
fn gauge(floodwall: &Floodwall<'_>, name: &str) -> u64 {
    floodwall.status()["limits"][0][name]
        .as_u64()
        .expect("a number")
}

/// Sends the same request `times` times at once; answers with each one's status and time, the fastest first.
fn at_once(client: Client, request: &Request, times: usize) -> Vec<(u16, Duration)> {
    let connections: Vec<_> = (0..times)
        .map(|_| client.connect().expect("a connection"))
        .collect();
    let begun = Instant::now();
    let mut all: Vec<_> = thread::scope(|scope| {
        let send = |mut connection: floodwall_tests::Connection| {
            let status = connection.send(request).expect("a response").status;
            (status, begun.elapsed())
        };
        let threads: Vec<_> = connections
            .into_iter()
            .map(|connection| scope.spawn(move || send(connection)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a result"))
            .collect()
    });
    all.sort_by_key(|(_, after)| *after);
    all
}

#[test]
fn twenty_at_once_are_six_a_tenth_of_a_second_apart_and_fourteen_refusals() {
    let web = Loopback::free();
    let yaml = limited(web, "key: none, queue: { max_wait: 500ms }").with("2/d, burst: 2", "10/s");
    let floodwall = Floodwall::start(&yaml);
    let all = at_once(Client::of(web), &Request::get("/"), 20);
    let served: Vec<_> = all
        .iter()
        .filter(|(status, _)| *status == 200)
        .map(|(_, at)| *at)
        .collect();
    let refused: Vec<_> = all
        .iter()
        .filter(|(status, _)| *status == 429)
        .map(|(_, at)| *at)
        .collect();
    // On a machine that needs a tenth of a second to send them all, a turn more has come.
    let asked_for = refused.last().copied().unwrap_or_default();
    let more = usize::try_from(asked_for.as_millis() / 100).expect("a test is short");
    assert!((6..=6 + more).contains(&served.len()), "{all:?}");
    assert_eq!(served.len() + refused.len(), 20, "{all:?}");
    // Nobody waits for a refusal as for a turn.
    assert!(served.last() > Some(&asked_for), "{all:?}");
    for (turn, at) in served.iter().enumerate() {
        // The first is measured from the start, the others from their turn.
        let due = Duration::from_millis(100) * u32::try_from(turn).expect("a few");
        assert!(
            *at + Duration::from_millis(20) >= due
                && *at < due + asked_for + Duration::from_millis(300),
            "{served:?}"
        );
    }
    assert_eq!(gauge(&floodwall, "waiting"), 0);
    assert_eq!(
        [gauge(&floodwall, "admitted"), gauge(&floodwall, "refused")],
        [served.len() as u64, refused.len() as u64]
    );
}

#[test]
fn whoever_leaves_gives_the_place_back() {
    let web = Loopback::free();
    let yaml = limited(web, "key: none, queue: { max_wait: 1h }").with("2/d, burst: 2", "1/m");
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(Client::of(web).get("/").status, 200);
    let explain = || {
        let explained = floodwall.json(&["explain", "--json", &format!("http://{web}/")]);
        explained["limits"][0]["wait_seconds"]
            .as_f64()
            .expect("it would wait")
    };
    let before = explain();
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let mut connection = Client::of(web).connect().expect("a connection");
            connection
                .write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .expect("it is open");
            connection
        })
        .collect();
    eventually!(gauge(&floodwall, "waiting") == 5);
    assert!(explain() > before + 250.0, "five minutes more");
    drop(waiting);
    eventually!(gauge(&floodwall, "waiting") == 0);
    assert!(explain() <= before, "{} s, {before} s before", explain());
}

#[test]
fn a_later_limit_that_refuses_gives_the_place_back() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limits = "paced: { key: none, rate: 1/m, queue: { max_wait: 1h } }
  narrow: { key: none, match: { headers: { x: a } }, rate: 0/s }";
    let floodwall = Floodwall::start(&proxied(web, &origin, limits, "paced, narrow"));
    assert_eq!(Client::of(web).get("/").status, 200);
    for _ in 0..5 {
        assert_eq!(
            Client::of(web)
                .send(&Request::get("/").header("x", "a"))
                .status,
            429
        );
    }
    let explained = floodwall.json(&["explain", "--json", &format!("http://{web}/")]);
    let wait = explained["limits"][0]["wait_seconds"]
        .as_f64()
        .expect("it would wait");
    assert!(wait <= 60.0, "{explained}");
}

#[test]
fn the_fourth_of_three_at_one_time_is_refused_and_those_in_line_come_in_turn() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limits = "reports: { key: header(user), concurrency: 3, exceptions: { \"vip*\": 5 } }
  lined: { key: none, match: { path_prefix: /slow/200 }, concurrency: 1, queue: { max_wait: 5s, max_waiting: 2 } }";
    let floodwall = Floodwall::start(&proxied(web, &origin, limits, "reports, lined"));
    let count = |user: &str, times| {
        let request = Request::get("/slow/500").header("user", user);
        let all = at_once(Client::of(web), &request, times);
        all.iter().filter(|(status, _)| *status == 200).count()
    };
    assert_eq!([count("ann", 5), count("vip-1", 7)], [3, 5]);
    eventually!(gauge(&floodwall, "in_flight") == 0);
    let policy = Client::of(web).send(&Request::get("/").header("user", "ann"));
    let policy = policy
        .header("ratelimit-policy")
        .expect("a policy")
        .to_owned();
    assert_eq!(policy, "\"reports\";q=3;qu=\"concurrent-requests\"");
    // One after the other, two in line, and one too many.
    let request = Request::get("/slow/200").header("user", "vip");
    let all = at_once(Client::of(web), &request, 4);
    let served: Vec<_> = all
        .iter()
        .filter(|(status, _)| *status == 200)
        .map(|(_, at)| *at)
        .collect();
    assert_eq!(served.len(), 3, "{all:?}");
    assert!(
        served
            .windows(2)
            .all(|pair| pair[1] > pair[0] + Duration::from_millis(150)),
        "{served:?}"
    );
    eventually!(floodwall.status()["limits"][1]["in_flight"] == 0);
}

#[test]
fn slots_are_kept_over_a_reload() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let limit = "reports: { key: none, concurrency: 1 }";
    let yaml = proxied(web, &origin, limit, "reports");
    let floodwall = Floodwall::start(&yaml);
    thread::scope(|scope| {
        let slow = scope.spawn(|| Client::of(web).get("/slow/2000").status);
        eventually!(gauge(&floodwall, "in_flight") == 1);
        floodwall.write(&yaml.and("log: { level: debug }\n"));
        assert_eq!(floodwall.reload().code, Some(0));
        assert_eq!(Client::of(web).get("/").status, 429);
        assert_eq!(slow.join().expect("a status"), 200);
    });
    eventually!(gauge(&floodwall, "in_flight") == 0);
    assert_eq!(Client::of(web).get("/").status, 200);
}

/// What asks for a tunnel.
const UPGRADE: &str = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Ten thousand clients that leave: in line for a turn or a slot, with a request on its way to the origin, before their
/// tunnel is open, and in it. HTTP/2 has as many streams that are reset: see `http2/resets.rs`.
#[test]
fn ten_thousand_aborted_clients_leave_nothing_behind() {
    const AT_ONCE: usize = 100;
    let (web, origin, talk) = (Loopback::free(), Origin::start(), Echo::start());
    let limits = "slots: { key: none, concurrency: 50, queue: { max_wait: 60s, max_waiting: 100 } }
  paced: { key: none, match: { path: /paced }, rate: 1/m, queue: { max_wait: 1d } }
  keyed: { key: path, concurrency: 20, queue: { max_wait: 60s, max_waiting: 100 } }";
    let yaml = proxied(web, &origin, limits, "slots, paced, keyed")
        .with("routes:\n", "routes:\n  - { name: talk, match: { path_prefix: /talk }, limits: [slots, paced, keyed], upstream: talk }\n")
        .with("upstreams: {", format!("upstreams: {{ talk: {{ servers: [{}], max_in_flight: 1000 }}, ", talk.address()))
        .with("app: { servers: [", "app: { max_in_flight: 1000, servers: [")
        .and("log: { access: off }\nprotection: { in_flight: { trigger: 100000 } }\n");
    let floodwall = Floodwall::start(&yaml);
    let begun = Instant::now();
    for round in 0..10_000 / AT_ONCE {
        let (path, fields) = match round % 5 {
            0 => ("/slow/50", ""),
            1 => ("/paced", ""),
            2 => ("/talk", UPGRADE),
            3 => ("/paced", UPGRADE),
            _ => ("/slow/50", UPGRADE),
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let connections: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let mut connection = Client::of(web).connect().expect("a connection");
                connection.write(request.as_bytes()).expect("it is open");
                connection
            })
            .collect();
        // Most of them leave while they wait or are served, some before they are seen.
        if round % 10 < 5 {
            eventually!(floodwall.status()["requests"]["in_flight"].as_u64() >= Some(10));
        }
        drop(connections);
    }
    println!("10,000 clients in {:?}", begun.elapsed());
    let gauges = || {
        let status = floodwall.status();
        let of = |list: &str, name: &str| -> Vec<serde_json::Value> {
            let all = status[list].as_array().expect("a list").iter();
            all.map(|each| each[name].clone()).collect()
        };
        [
            of("limits", "waiting"),
            of("limits", "in_flight"),
            of("upstreams", "in_flight"),
            vec![
                status["requests"]["in_flight"].clone(),
                status["connections"]["open"].clone(),
                status["protection"]["in_flight"].clone(),
            ],
        ]
        .concat()
    };
    let quiet = || gauges().iter().all(|gauge| *gauge == 0).then_some(());
    assert!(
        wait::until(Duration::from_mins(1), quiet).is_some(),
        "{}",
        floodwall.status()
    );
    eventually!(talk.open() == 0);
    assert!(!talk.heads().is_empty(), "no tunnel was ever asked for");
    let explained = floodwall.json(&["explain", "--json", &format!("http://{web}/")]);
    let left = [0, 2].map(|at| explained["limits"][at]["remaining"].clone());
    assert_eq!(left, [50, 20], "{explained}");
    assert_eq!(Client::of(web).get("/").status, 200);
}
