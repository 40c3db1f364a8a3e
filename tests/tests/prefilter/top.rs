//! What `floodwall top` shows of the kernel.

use std::time::Duration;

use floodwall_tests::needs_root;

use crate::edge::{BAD, Scene, web};

#[test]
fn what_the_kernel_drops_is_seen_as_it_happens() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start("native", &[]);
    let top = floodwall.on_terminal(&["top", "--every", "200ms"], &[], (80, 24));
    top.await_words("native on eth0");
    let answer = floodwall.ask(&["blocks", "add", &BAD.to_string(), "--for", "1m"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let bad = web().patient_for(Duration::from_millis(50));
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            scene
                .bad
                .run(|| (0..40).filter(|_| bad.connect().is_ok()).count())
        });
        let row = |screen: &str, begin: &str| {
            let mut lines = screen.lines();
            lines
                .find(|line| line.starts_with(begin))
                .map(str::to_owned)
        };
        top.await_screen("dropped packets in the summary", |screen| {
            row(screen, "packets").is_some_and(|line| line.contains("  dropped "))
        });
        top.await_screen("packets of the blocked source", |screen| {
            row(screen, &BAD.to_string()).is_some_and(|line| line.contains("operator"))
        });
        top.await_screen("drops by their reason", |screen| {
            let mut lines = screen.lines();
            lines.any(|line| line.starts_with("blocked ") && line.contains(" dropped "))
        });
        assert_eq!(flood.join().expect("the flood ends"), 0);
    });
    // Nothing comes any more, and the rates say so.
    top.await_screen("end of the drops", |screen| {
        let packets = screen.lines().find(|line| line.starts_with("packets"));
        packets.is_some_and(|line| !line.contains("dropped"))
    });
}
