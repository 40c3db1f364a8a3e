//! What is seen of packets that the kernel counts, drops, or only would have dropped.

use std::net::UdpSocket;

use floodwall_tests::{Host, eventually, needs_root};

use crate::edge::{BAD, EDGE, MODES, Scene};

fn send(from: &Host, port: u16, times: usize) {
    from.run(|| {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).expect("any port");
        for _ in 0..times {
            socket
                .send_to(b"eight by", (EDGE, port))
                .expect("the wire takes it");
        }
    });
}

const LIMITS: &str = "limits:
    watch: { match: { protocol: udp, ports: [9999] }, key: source, rate: 1/h, burst: 2, shadow: true }
    closed: { match: { protocol: udp, ports: [9998] }, key: none, rate: 0/s }";

#[test]
fn a_limit_in_shadow_drops_nothing_and_is_seen_in_the_metrics() {
    needs_root!();
    for mode in MODES {
        let scene = Scene::new();
        let _floodwall = scene.start(mode, &[LIMITS]);
        let there = scene
            .edge
            .run(|| UdpSocket::bind((EDGE, 9999)))
            .expect("a free port");
        send(&scene.bad, 9999, 5);
        for _ in 0..5 {
            assert_eq!(there.recv(&mut [0; 8]).expect("all five arrive"), 8);
        }
        send(&scene.bad, 9998, 3);
        let counted = |line: &str| scene.metrics().contains(line);
        for line in [
            "floodwall_prefilter_limit_packets_total{limit=\"watch\",verdict=\"shadowed\"} 3\n",
            "floodwall_prefilter_limit_packets_total{limit=\"closed\",verdict=\"dropped\"} 3\n",
            "floodwall_prefilter_packets_total{reason=\"limited\",verdict=\"drop\"} 3\n",
            "floodwall_prefilter_interface_packets_total{interface=\"eth0\",reason=\"limited\",verdict=\"drop\"} 3\n",
            // Ethernet, IPv4, UDP and eight bytes, three times.
            "floodwall_prefilter_dropped_bytes_total{reason=\"limited\"} 150\n",
        ] {
            assert!(counted(line), "{mode}: {line}\n{}", scene.metrics());
        }
    }
}

#[test]
fn dropped_packets_are_shown_at_a_bounded_rate() {
    needs_root!();
    for mode in MODES {
        let scene = Scene::new();
        let floodwall = scene.start(mode, &[LIMITS, "sample: 5/h"]);
        send(&scene.bad, 9998, 200);
        let samples = || {
            let status = floodwall.status();
            status["prefilter"]["samples"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        };
        eventually!(!samples().is_empty());
        send(&scene.bad, 9998, 200);
        let shown = samples();
        assert_eq!(shown.len(), 1, "a burst of one, and no more in an hour");
        let sample = &shown[0];
        for (key, value) in [
            ("source", BAD.to_string().as_str()),
            ("protocol", "udp"),
            ("reason", "limited"),
            ("limit", "closed"),
            ("interface", "eth0"),
        ] {
            assert_eq!(sample[key], value, "{sample:#}");
        }
        assert_eq!(
            (&sample["port"], &sample["bytes"]),
            (&9998.into(), &50.into())
        );
        let log = floodwall.log();
        assert_eq!(log.matches("dropped in the kernel").count(), 1, "{log}");
    }
}

#[test]
fn no_sample_is_shown_where_none_is_wanted() {
    needs_root!();
    let scene = Scene::new();
    let floodwall = scene.start("native", &[LIMITS, "sample: 0/s"]);
    send(&scene.bad, 9998, 50);
    let status = floodwall.status();
    assert_eq!(status["prefilter"]["limits"][1]["dropped"], 50);
    assert_eq!(status["prefilter"]["samples"], serde_json::json!([]));
}
