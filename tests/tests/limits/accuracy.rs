//! How exactly the rate is kept.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
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
    for (round, user) in ["ann", "bob", "eve"].into_iter().enumerate() {
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
        if due == 0 {
            assert_eq!(one.count() + two.count(), 5 * (round + 1));
        }
        assert!(
            one.count().abs_diff(two.count()) <= 1,
            "{} and {}",
            one.count(),
            two.count()
        );
    }
    let served = one.count() + two.count();
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
    let admitted = AtomicUsize::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Client::of(web).connect().expect("a connection");
                while begun.elapsed() < Duration::from_secs(3) {
                    match connection.get("/").expect("a response").status {
                        200 => admitted.fetch_add(1, Relaxed),
                        429 => continue,
                        other => panic!("status {other}"),
                    };
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
    assert!(count >= most * 0.95, "only {admitted} admitted of {most}");
}
