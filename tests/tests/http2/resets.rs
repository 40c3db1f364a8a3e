//! Streams that are given up at any time: while they wait for their turn, for a slot, or for the origin. Nothing of
//! them stays behind.

use std::net::SocketAddr;

use floodwall_tests::{
    Floodwall, Http2, Loopback, Origin, eventually,
    h2::{Frame, reason},
};

use crate::front;

/// Streams of each connection.
const STREAMS: usize = 100;

/// Opens streams on many connections and gives each of them up, some at once and some after a while.
fn open_and_reset(web: SocketAddr, path: &str, connections: usize, settle: impl Fn()) {
    let mut clients: Vec<_> = (0..connections)
        .map(|_| {
            let mut client = Http2::connect(web).expect("a connection");
            let streams: Vec<_> = (0..STREAMS)
                .map(|at| {
                    let stream = client.request("GET", path, &[], true).expect("a stream");
                    if at % 4 == 0 {
                        let reset = Frame::reset(stream, reason::CANCEL);
                        client.send(&reset).expect("it is open");
                    }
                    stream
                })
                .collect();
            (client, streams)
        })
        .collect();
    settle();
    for (client, streams) in &mut clients {
        for (at, stream) in streams.iter().enumerate() {
            if at % 4 > 0 {
                let reset = Frame::reset(*stream, reason::CANCEL);
                client.send(&reset).expect("it is open");
            }
        }
    }
    for (client, _) in &mut clients {
        // Its streams are gone, and it is as good as any.
        assert_eq!(client.get("/free").expect("an answer").status, Some(200));
    }
}

fn assert_nothing_is_left(floodwall: &Floodwall<'_>) {
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    let status = floodwall.status();
    for limit in status["limits"].as_array().expect("a list") {
        for gauge in ["in_flight", "waiting"] {
            assert!(limit[gauge].is_null() || limit[gauge] == 0, "{limit}");
        }
    }
    for upstream in status["upstreams"].as_array().expect("a list") {
        assert!(
            upstream["in_flight"].is_null() || upstream["in_flight"] == 0,
            "{upstream}"
        );
    }
}

#[test]
fn ten_thousand_streams_that_are_reset_leave_nothing_behind() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = front(web, origin.address())
        .with("servers: [", "max_in_flight: 100000, servers: [")
        .with(
            "routes:",
            "limits:
  turns: { key: none, rate: 100/s, burst: 1, queue: { max_wait: 60s, max_waiting: 10k } }
  slots: { key: none, concurrency: 3, queue: { max_wait: 60s, max_waiting: 10k } }
routes:
  - { name: free, match: { path: /free }, respond: { status: 200 } }
  - { name: turns, match: { path_prefix: /turns }, limits: [turns], upstream: app }
  - { name: slots, match: { path_prefix: /slots }, limits: [slots], upstream: app }",
        );
    let floodwall = Floodwall::start(&yaml);
    // Each that reaches the origin has a connection of its own there, with a thread.
    for (path, connections) in [("/turns", 50), ("/slots", 50), ("/slow/30000", 3)] {
        open_and_reset(web, path, connections, || {
            let many = Some(connections as u64 * STREAMS as u64 / 2);
            eventually!(floodwall.status()["requests"]["in_flight"].as_u64() > many);
        });
        assert_nothing_is_left(&floodwall);
    }
}
