//! How exactly the rate is kept.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml, wait};

use crate::{limited, statuses};

#[test]
fn each_user_has_five_a_second_spread_in_turn_over_two_origins() {
    let ip = Loopback::claim();
    let (web, one, two) = (ip.free_port(), Origin::start(), Origin::start());
    let yaml = Yaml::example("envoy-sentinel.yaml")
        .with("0.0.0.0:18000", web)
        .with("127.0.0.1:19001", one.address())
        .with("127.0.0.1:19002", two.address())
        .with("127.0.0.1:18001", ip.free_port());
    let _floodwall = Floodwall::start(&yaml);
    let mut served = 0;
    for user in ["ann", "bob", "eve"] {
        let request = Request::get("/").header("user", user);
        let begun = Instant::now();
        let mut all = statuses(Client::of(web), &request, 10);
        // On a machine that needs a fifth of a second for this, a sixth one has become due.
        let due = usize::try_from(begun.elapsed().as_millis() / 200).expect("a test is short");
        all.sort_unstable();
        let admitted = all.iter().filter(|status| **status == 200).count();
        assert!((5..=5 + due).contains(&admitted), "{user}: {all:?}");
        assert_eq!(
            admitted + all.iter().filter(|status| **status == 429).count(),
            10,
            "{all:?}"
        );
        served += admitted;
        assert_eq!(one.count() + two.count(), served);
        assert!(
            one.count().abs_diff(two.count()) <= 1,
            "{} and {}",
            one.count(),
            two.count()
        );
    }
    let tenth = Duration::from_millis(100);
    let paced = wait::paced(tenth, Duration::from_secs(2), || {
        Client::of(web)
            .send(&Request::get("/").header("user", "zoe"))
            .status
    });
    let admitted = paced.iter().filter(|status| **status == 200).count();
    // Five at once, and from then on every second one: five in each of two seconds.
    assert!(
        (14..=15).contains(&admitted),
        "{admitted} of {}: {paced:?}",
        paced.len()
    );
    assert_eq!(one.count() + two.count(), served + admitted);
    assert!(
        one.count().abs_diff(two.count()) <= 1,
        "{} and {}",
        one.count(),
        two.count()
    );
}

/// 8 threads ask as fast as they can; whatever they do, no more is admitted than burst and rate allow.
#[test]
fn never_more_than_the_burst_and_the_rate_on_any_number_of_threads() {
    const RATE: f64 = 500.0;
    const BURST: f64 = 100.0;
    let web = Loopback::free();
    let yaml = limited(web, "key: none")
        .with("2/d, burst: 2", "500/s, burst: 100")
        .and("log: { access: off }\n");
    let floodwall = Floodwall::start(&yaml);
    let (admitted, answers) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Client::of(web).connect().expect("a connection");
                while begun.elapsed() < Duration::from_secs(3) {
                    match connection.get("/").expect("a response").status {
                        200 => admitted.fetch_add(1, Relaxed),
                        429 => 0,
                        other => panic!("status {other}"),
                    };
                    answers.lock().expect("nobody panics").push(begun.elapsed());
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f64();
    let admitted = admitted.into_inner();
    let most = BURST + RATE * took;
    let limit = &floodwall.status()["limits"][0];
    println!(
        "admitted {admitted}, allowed {most:.0}, refused {}",
        limit["refused"]
    );
    assert_eq!(limit["admitted"], admitted);
    assert_ne!(limit["refused"], 0, "the test never came to the limit");
    let count = f64::from(u32::try_from(admitted).expect("a test is short"));
    assert!(count <= most, "{admitted} admitted of {most}");
    // A machine that is busy elsewhere may ask too little to be given all of it.
    let asked_for = bucket(answers.into_inner().expect("nobody panicked"), RATE, BURST);
    assert!(
        count >= asked_for * 0.95,
        "only {admitted} admitted of {asked_for} that were asked for in time"
    );
}

/// How many of the requests that were answered at these times a bucket of tokens has one for.
fn bucket(mut answers: Vec<Duration>, rate: f64, burst: f64) -> f64 {
    answers.sort_unstable();
    let (mut tokens, mut last, mut admitted) = (burst, Duration::ZERO, 0.0);
    for at in answers {
        tokens = (tokens + at.saturating_sub(last).as_secs_f64() * rate).min(burst);
        last = at;
        if tokens >= 1.0 {
            tokens -= 1.0;
            admitted += 1.0;
        }
    }
    admitted
}
