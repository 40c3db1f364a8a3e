//! What a reload makes of the pre-filter: other lists, another mode, interfaces that must be had.

use std::fs;

use floodwall_tests::{Answer, Floodwall, Request, needs_root};

use crate::edge::{Scene, web};

/// Whether the bad host's packets get through.
fn is_let_in(scene: &Scene) -> bool {
    let client = web();
    scene
        .bad
        .run(|| client.try_send(&Request::get("/free")).is_ok())
}

/// `floodwall check --diff`
fn check(floodwall: &Floodwall<'_>) -> Answer {
    let file = floodwall.folder().join("floodwall.yaml");
    let file = file.to_str().expect("a plain name");
    floodwall.ask(&["check", "--diff", "-c", file])
}

#[test]
fn a_list_that_changed_in_its_file_is_seen_before_the_reload_and_after() {
    needs_root!();
    let scene = Scene::new();
    let list = tempfile::tempdir().expect("a folder");
    let file = list.path().join("deny.txt");
    fs::write(&file, "192.0.2.1\n192.0.2.2\n").expect("a file");
    let deny = format!("deny: [{{ file: {} }}]", file.display());
    let floodwall = scene.start("auto", &[&deny]);
    let diff = || check(&floodwall).stdout;
    assert!(
        diff().contains("a reload would change nothing"),
        "{}",
        diff()
    );
    assert!(is_let_in(&scene));
    fs::write(&file, "192.0.2.2\n10.78.0.2\n192.0.2.4\n").expect("a file");
    let change = "prefilter.deny: 2 entries added, 1 removed";
    assert!(diff().contains(change), "{}", diff());
    assert!(is_let_in(&scene), "nothing was applied");
    assert!(floodwall.reload().stdout.contains(change));
    assert!(
        diff().contains("a reload would change nothing"),
        "{}",
        diff()
    );
    assert!(!is_let_in(&scene));
    fs::write(&file, "nonsense\n").expect("a file");
    assert_eq!(check(&floodwall).code, Some(2));
}

#[test]
fn the_filter_goes_off_and_on_again_by_reload() {
    needs_root!();
    let scene = Scene::new();
    let deny = "deny: [10.78.0.2]";
    let floodwall = scene.start("native", &[deny]);
    assert!(!is_let_in(&scene));
    let with_mode = |mode: &str| {
        let yaml = scene.yaml("native", &[deny]);
        floodwall.write(&yaml.with("mode: \"native\"", format!("mode: \"{mode}\"")));
        floodwall.reload()
    };
    assert_eq!(with_mode("off").code, Some(0));
    assert!(is_let_in(&scene));
    let status = floodwall.status();
    assert_eq!(status["prefilter"]["on"], false);
    assert_eq!(status["prefilter"]["why"], "prefilter.mode is off");
    assert_eq!(with_mode("native").code, Some(0));
    assert!(!is_let_in(&scene));
    // An interface has one mode at a time: nothing may pass in between.
    let refused = with_mode("generic");
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("eth0 is filtered in native mode"),
        "{}",
        refused.stderr
    );
    assert!(!is_let_in(&scene));
    // What it has is what `auto` would take, too.
    assert_eq!(with_mode("auto").code, Some(0));
    assert_eq!(floodwall.status()["prefilter"]["on"], true);
}

#[test]
fn what_began_without_the_kernel_says_that_it_needs_a_restart() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start("off", &[]);
    floodwall.write(&scene.yaml("auto", &[]));
    for answer in [check(&floodwall), floodwall.reload()] {
        let said = format!("{}{}", answer.stdout, answer.stderr);
        assert!(said.contains("it was off at the start"), "{said}");
        assert!(said.contains("needs a restart"), "{said}");
    }
    assert_eq!(floodwall.status()["generation"]["proxy"], 1);
}

#[test]
fn a_required_interface_that_is_missing_refuses_the_file() {
    needs_root!();
    let scene = Scene::new();
    let keys = ["deny: [10.78.0.2]"];
    let floodwall = scene.start("auto", &keys);
    let required = |interfaces: &str| {
        let yaml = scene.yaml("auto", &["required: true"]);
        floodwall.write(&yaml.with("interfaces: [eth0]", interfaces));
        floodwall.reload()
    };
    let refused = required("interfaces: [lo, eth0, eth7]");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("no such interface: eth7"),
        "{}",
        refused.stderr
    );
    assert!(!is_let_in(&scene), "the former rules hold");
    let status = floodwall.status();
    assert_eq!(
        status["prefilter"]["interfaces"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(required("interfaces: [lo, eth0]").code, Some(0));
    let interfaces = || floodwall.status()["prefilter"]["interfaces"].clone();
    assert_eq!(interfaces()[0]["state"], "filtering");
    assert!(is_let_in(&scene), "nobody is denied any more");
}
