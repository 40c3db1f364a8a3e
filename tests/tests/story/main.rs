//! The story of Floodwall: an attacker, a good client, an origin, and the edge between them, with real packets
//! through a real XDP program.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use floodwall_tests::{Floodwall, Origin, Repeat, eventually, needs_root, wait};

use attack::{Attack, Probe, Seen, attempt, flood};
use edge::{Scene, limit, packets, partners_web, web};

mod attack;
mod blocks;
mod edge;
mod unprivileged;

/// A client that sends 20 requests a second, on one connection, and never gets anything but 200.
fn good_client(scene: &Scene) -> Repeat<()> {
    let mut connection = scene.good.run(|| web().connect()).expect("a connection");
    Repeat::every(Duration::from_millis(50), move || {
        let response = connection.get("/good").expect("a good client is answered");
        assert_eq!(response.status, 200, "{response:?}");
    })
}

/// Asserts that an attack got what was left of its budget, and then refusals as the contract promises them.
fn assert_refusals(attack: &Attack, left: f64) {
    let seconds = attack.took.as_secs_f64();
    let admitted = f64::from(u32::try_from(attack.admitted).expect("a test is short"));
    assert!(
        admitted >= left && admitted <= 100.0 + 50.0 * seconds,
        "{admitted} admitted in {seconds} s, and {left} were left"
    );
    assert_eq!(
        attack.refused.len(),
        20,
        "blocked after the wrong number of refusals"
    );
    for refusal in &attack.refused {
        assert_eq!(refusal.header("retry-after"), Some("1"));
        assert_eq!(
            refusal.header("ratelimit-policy"),
            Some("\"per-client\";q=100;w=2")
        );
        assert_eq!(refusal.header("ratelimit"), Some("\"per-client\";r=0;t=1"));
        assert_eq!(
            refusal.body,
            "refused by the limit per-client; come back in 1 second\n"
        );
    }
}

/// Waits until the attacker is served again, which is so after 5 s.
fn assert_served_again(scene: &Scene, blocked_at: Instant) {
    let again = wait::until(Duration::from_secs(10), || attempt(&scene.attacker).ok());
    let blocked_for = blocked_at.elapsed();
    assert_eq!(again, Some(200));
    assert!(
        blocked_for > Duration::from_millis(4900) && blocked_for < Duration::from_secs(7),
        "{blocked_for:?}"
    );
}

/// Asserts that exactly the attacker is blocked, and for how long in all.
fn assert_blocked_for(floodwall: &Floodwall<'_>, seconds: f64) {
    let blocks = floodwall.blocks();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    let block = &blocks[0];
    assert_eq!(
        block["source"]
            .as_str()
            .map(|source| source.trim_end_matches("/32")),
        Some("10.77.0.2")
    );
    assert_eq!(
        (&block["reason"], &block["by"], &block["scope"]),
        (&"per-client".into(), &"limit".into(), &"listeners".into())
    );
    let number = |key: &str| block[key].as_f64().expect("a number");
    let whole = number("since_seconds_ago") + number("ends_in_seconds");
    assert!(
        (whole - seconds).abs() < 0.1,
        "a block of {whole} s instead of {seconds} s"
    );
}

#[test]
fn the_flood_and_the_good_client() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start(&scene.yaml());
    let good = good_client(&scene);

    // 200s up to the budget, then 429s, then nothing.
    let probe = Probe::start(&scene.attacker, &scene.edge);
    let attack = flood(&scene.attacker);
    let blocked_at = Instant::now();
    assert_blocked_for(&floodwall, 5.0);
    let seen = probe.stop();
    assert_refusals(&attack, 100.0);
    print_latency(&attack, &seen);

    // Its packets are dropped in the kernel, and the proxy no longer sees it.
    let before = floodwall.status();
    for _ in 0..3 {
        assert_eq!(
            attempt(&scene.attacker).map_err(|error| error.kind()),
            Err(ErrorKind::TimedOut)
        );
    }
    let after = floodwall.status();
    assert!(
        packets(&after, "blocked") >= packets(&before, "blocked") + 3,
        "{after:#}"
    );
    assert_eq!(
        after["connections"]["accepted"],
        before["connections"]["accepted"]
    );
    assert_eq!(limit(&after, "per-client")["refused"], 20);
    let dropped = floodwall.blocks()[0]["dropped_packets"]
        .as_u64()
        .expect("a count");
    assert!(
        dropped > 3,
        "the operator sees how many packets were dropped, not {dropped}"
    );

    // After 5 s it is served again without anybody's help.
    assert_served_again(&scene, blocked_at);

    // When it goes on, of what that one request left, the second block is twice as long.
    assert_refusals(&flood(&scene.attacker), 99.0);
    assert_blocked_for(&floodwall, 10.0);
    assert_eq!(limit(&floodwall.status(), "per-client")["blocks"], 2);

    let answered = good.stop().len();
    println!("the good client sent {answered} requests and got as many 200s");
    assert!(
        answered > 100,
        "the good client was held up: {answered} requests"
    );
}

/// Prints how soon the kernel acts: between the last packet that passed and the first that did not. The refusal is
/// decided somewhere between its request, which the attacker sent, and its arrival there.
fn print_latency(attack: &Attack, seen: &Seen) {
    let micros = |from: Instant, to: Instant| match to.checked_duration_since(from) {
        Some(after) => format!("+{}", after.as_micros()),
        None => format!("-{}", (from - to).as_micros()),
    };
    println!(
        "the refusal that blocks: asked for at 0 µs, last packet passed at {} µs, first packet dropped at {} µs, \
         refusal arrived at {} µs",
        micros(attack.last_sent, seen.last_passed),
        micros(attack.last_sent, seen.first_dropped),
        micros(attack.last_sent, attack.last_answered),
    );
    let after = seen
        .first_dropped
        .saturating_duration_since(attack.last_answered);
    assert!(
        after < Duration::from_millis(100),
        "the kernel acted {after:?} after the refusal"
    );
}

#[test]
fn a_hundred_reloads_in_both_layers() {
    needs_root!();
    let scene = Scene::new();
    let (slow, fast) = (scene.yaml(), scene.yaml().with("rate: 50/s", "rate: 80/s"));
    let floodwall = scene.start(&slow);
    let good = good_client(&scene);
    let mut connection = scene
        .partner
        .run(|| partners_web().connect())
        .expect("a connection");
    let partner = Repeat::every(Duration::ZERO, move || {
        let response = connection.get("/load").expect("no request fails");
        assert_eq!(response.status, 200, "{response:?}");
    });
    for number in 2..=101_u64 {
        floodwall.write(if number % 2 == 0 { &fast } else { &slow });
        floodwall.hang_up();
        let generation = &floodwall.status()["generation"];
        assert_eq!(
            (&generation["proxy"], &generation["kernel"]),
            (&number.into(), &number.into())
        );
    }
    // A broken file is refused and named, and both layers stay as they are.
    let broken = slow.clone().with("rate: 50/s", "rate: plenty");
    let (row, column) = broken.place_of("plenty");
    floodwall.write(&broken);
    let answer = floodwall.reload();
    assert_eq!(answer.code, Some(2), "{}", answer.stdout);
    let place = format!("floodwall.yaml:{row}:{column}: limits.per-client.rate: ");
    assert!(answer.stderr.contains(&place), "{}", answer.stderr);
    let generation = &floodwall.status()["generation"];
    assert_eq!(
        (&generation["proxy"], &generation["kernel"]),
        (&101.into(), &101.into())
    );

    let served = partner.stop().len() + good.stop().len();
    println!("{served} requests during 100 reloads, and none failed");
    // No count is lost; the last one is made after its response is written.
    eventually!(floodwall.finished("2xx") == served);
    let asked = scene.origins.iter().flat_map(Origin::seen);
    // Health checks are no client's requests.
    let by_clients = asked.filter(|seen| seen.target != "/healthz").count();
    assert_eq!(by_clients, served);
}
