//! The same file without privileges: the same story, but for where the drop is counted.

use std::time::Instant;

use floodwall_tests::{Floodwall, Launch, Loopback, Yaml, needs_root};

use crate::{
    assert_blocked_for, assert_refusals, assert_served_again,
    attack::{attempt, flood},
    edge::{Scene, limit},
    good_client,
};

#[test]
fn without_privileges_the_block_is_at_accept() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = Launch::default()
        .on(&scene.edge)
        .as_nobody()
        .start(&scene.yaml());
    let status = floodwall.status();
    assert_eq!(status["prefilter"]["on"], false);
    assert!(status["prefilter"]["why"].is_string(), "{status:#}");
    assert!(status["generation"]["kernel"].is_null());
    assert!(
        floodwall.log().contains("the pre-filter is off"),
        "{}",
        floodwall.log()
    );
    let good = good_client(&scene);

    assert_refusals(&flood(&scene.attacker), 100.0);
    let blocked_at = Instant::now();
    assert_blocked_for(&floodwall, 5.0);
    let before = floodwall.status();
    for _ in 0..3 {
        attempt(&scene.attacker).expect_err("no answer to a blocked source");
    }
    let after = floodwall.status();
    let turned_away =
        |status: &serde_json::Value| status["connections"]["refused_blocked"].as_u64();
    assert_eq!(
        turned_away(&after),
        turned_away(&before).map(|count| count + 3)
    );
    assert_eq!(limit(&after, "per-client")["refused"], 20);

    assert_served_again(&scene, blocked_at);
    assert_refusals(&flood(&scene.attacker), 99.0);
    assert_blocked_for(&floodwall, 10.0);
    assert!(good.stop().len() > 100);
}

/// A service that began without the kernel cannot have it later: a file that requires it is refused, and says why.
#[test]
fn what_is_required_and_was_not_there_at_the_start_takes_a_restart() {
    needs_root!();
    let yaml = Yaml::example("sentinel-port.yaml").with("0.0.0.0:8080", Loopback::free());
    let floodwall = Launch::default().as_nobody().start(&yaml);
    floodwall.write(&yaml.with("mode: auto", "mode: auto\n  required: true"));
    let refused = floodwall.reload();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for part in ["prefilter.required: ", "CAP_BPF", "needs a restart"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert_eq!(floodwall.status()["generation"]["proxy"], 1);
}

/// `required` is the operator's word that a service without the kernel is worse than none.
#[test]
fn what_is_required_and_cannot_be_had_is_a_failure() {
    let yaml = Yaml::example("sentinel-port.yaml")
        .with("0.0.0.0:8080", Loopback::free())
        .with("[lo]", "[no-such-nic]")
        .with("mode: auto", "mode: auto\n  required: true");
    let answer = Floodwall::refuse(&yaml);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    assert!(answer.stderr.contains("no-such-nic"), "{}", answer.stderr);
}
