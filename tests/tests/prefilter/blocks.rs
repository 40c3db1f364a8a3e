//! Blocks in the kernel: clients that fail fast, and senders that are not who they say they are.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use floodwall_tests::{Host, Instance, Repeat, Request, eventually, needs_root};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    edge::{BAD, EDGE, MODES, Scene, WEB, web},
    frame::{SYN, tcp},
};

/// What "at once" is on a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn who_is_blocked_with_a_reset_fails_fast() {
    needs_root!();
    for mode in MODES {
        let scene = Scene::new();
        let instance = Instance::claim();
        let _relay = scene.take_from_driver(&instance);
        let floodwall = scene.start(mode, &["blocks: { action: reset }"]);
        let mut kept = scene.bad.run(|| web().connect()).expect("a connection");
        assert_eq!(kept.get("/free").expect("a response").status, 200);
        let answer = floodwall.ask(&["blocks", "add", &BAD.to_string(), "--for", "1m"]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let begun = Instant::now();
        assert!(kept.read_to_end().expect("the end").is_empty());
        let refused = scene.bad.run(|| web().patient_for(AT_ONCE).connect());
        let refused = refused.expect_err("a blocked source").kind();
        assert_eq!(refused, ErrorKind::ConnectionRefused, "{mode}");
        assert!(
            begun.elapsed() < AT_ONCE * 2,
            "{mode}: {:?}",
            begun.elapsed()
        );
        let status = floodwall.status();
        assert!(
            status["prefilter"]["resets"].as_u64() > Some(0),
            "{:#}",
            status["prefilter"]
        );
        let blocks = floodwall.blocks();
        assert!(
            blocks[0]["dropped_packets"].as_u64() > Some(0),
            "{blocks:?}"
        );
        assert!(blocks[0]["dropped_bytes"].as_u64() > Some(0), "{blocks:?}");
        let served = scene.good.run(|| web().get("/free").status);
        assert_eq!(served, 200);
    }
}

/// The kernel keeps the budget too: what the proxy may not block is not blocked there.
#[test]
fn the_budget_holds_where_the_kernel_enforces_blocks() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start("native", &["blocks: { max: 1 }"]);
    for host in [&scene.bad, &scene.good] {
        host.run(|| {
            for _ in 0..4 {
                // The last of them finds a closed door, or a further refusal.
                let _ = web()
                    .patient_for(Duration::from_millis(300))
                    .try_send(&Request::get("/"));
            }
        });
    }
    let status = floodwall.status();
    assert_eq!(status["blocks_budget"]["standing"], 1);
    assert_eq!(status["blocks_budget"]["refused_full"], 1);
    let served = scene.good.run(|| web().get("/free").status);
    assert_eq!(
        served, 200,
        "the second one is refused by its limit, not by the kernel"
    );
}

/// Sends so many SYNs that claim to come from anywhere but here.
pub(crate) fn spoof(from: &Host, times: u32) {
    from.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))
            .expect("root may send what it likes");
        let to = SocketAddr::from((EDGE, 0)).into();
        let mut random = 0x2545_f491_u32;
        for _ in 0..times {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            // Addresses of 11.0.0.0 to 26.255.255.255.
            let source = Ipv4Addr::from_bits(0x0b00_0000 + random % 0x1000_0000);
            let frame = tcp(source, EDGE, WEB.port(), SYN);
            // The wire may be full for a moment: a flood does not mind.
            let _ = socket.send_to(&frame[14..], &to);
        }
    });
}

#[test]
fn forged_senders_get_nobody_blocked() {
    needs_root!();
    for mode in ["native", "off"] {
        let scene = Scene::new();
        let limit = "limits: { syn: { match: { syn: true }, key: source, rate: 5/s, burst: 5 } }";
        let floodwall = scene.start(mode, &[limit]);
        let mut good = scene.good.run(|| web().connect()).expect("a connection");
        let served = Repeat::every(Duration::from_millis(20), move || {
            good.get("/free").expect("a good client is answered").status
        });
        spoof(&scene.bad, 20_000);
        let served = served.stop();
        assert!(served.iter().all(|status| *status == 200), "{served:?}");
        let status = floodwall.status();
        if mode == "native" {
            let passed = &status["prefilter"]["limits"][0]["admitted"];
            assert!(
                passed.as_u64() > Some(10_000),
                "the flood came in: {passed}"
            );
        }
        assert!(floodwall.blocks().is_empty());
        let budget = &status["blocks_budget"];
        assert_eq!(
            (
                &budget["standing"],
                &budget["refused_full"],
                &budget["refused_rate"]
            ),
            (&0.into(), &0.into(), &0.into())
        );
        eventually!(
            scene
                .good
                .run(|| web().try_send(&Request::get("/free")).is_ok())
        );
    }
}
