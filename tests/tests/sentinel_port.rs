//! A port is a resource: one packet a second, or none at all, and not even the first one slips through.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{
    io::ErrorKind,
    net::UdpSocket,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Host, Instance, Launch, Origin, Yaml, needs_root, wait};

/// A socket of a port, and one that sends to it.
struct Pair {
    port: UdpSocket,
    sender: UdpSocket,
}

impl Pair {
    fn of(port: u16) -> Self {
        let bind = |port| UdpSocket::bind(("127.0.0.1", port)).expect("the namespace is new");
        let (port, sender) = (bind(port), bind(0));
        sender
            .connect(port.local_addr().expect("it is bound"))
            .expect("lo has a route");
        Self { port, sender }
    }

    fn send(&self, number: usize) {
        self.sender
            .send(&number.to_le_bytes())
            .expect("lo takes every packet");
    }

    /// What has come through so far. On `lo` a packet is through, or dropped, when `send` returns.
    fn received(&self) -> Vec<usize> {
        self.port.set_nonblocking(true).expect("a socket may be so");
        let mut number = [0; 8];
        let mut all = Vec::new();
        loop {
            match self.port.recv(&mut number) {
                Ok(_) => all.push(usize::from_le_bytes(number)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return all,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn one_packet_a_second_or_none_at_all() {
    needs_root!();
    let instance = Instance::claim();
    let host = Host::alone();
    let yaml = Yaml::example("sentinel-port.yaml").with(
        "mode: auto",
        format!("mode: auto\n  instance: {instance}\n  table: {{ sources: 2000 }}"),
    );
    let floodwall = Launch::default().on(&host).start(&yaml);
    let status = floodwall.status();
    // `lo` has no driver to run a program in, and that is said.
    assert_eq!(
        status["prefilter"]["interfaces"][0]["mode"], "generic",
        "{status:#}"
    );
    assert!(status["prefilter"]["interfaces"][0]["fallback"].is_string());

    host.run(|| {
        let (slow, closed, free) = (Pair::of(8000), Pair::of(8001), Pair::of(8002));
        for number in 0..100 {
            closed.send(number);
            free.send(number);
        }
        assert_eq!(
            closed.received(),
            [0; 0],
            "port 8001 answers nothing, not even the first packet"
        );
        assert_eq!(
            free.received().len(),
            100,
            "nobody said anything about port 8002"
        );

        let begun = Instant::now();
        for number in 0..100 {
            slow.send(number);
        }
        assert_eq!(slow.received(), [0], "of many at once the first is through");
        let tenth = Duration::from_millis(100);
        let paced = wait::paced(tenth, Duration::from_secs(4), || {
            slow.send(7);
            slow.received().len()
        });
        let through: usize = paced.iter().sum();
        let seconds = usize::try_from(begun.elapsed().as_secs()).expect("a test is short");
        assert!(
            (3..=seconds).contains(&through),
            "{through} in {seconds} s: {paced:?}"
        );

        // TCP is no way around.
        let _listener = Origin::on_port(8003);
        let patience = Duration::from_millis(300);
        let at = |port| {
            Client::of(([127, 0, 0, 1], port).into())
                .patient_for(patience)
                .connect()
                .map_err(|error| error.kind())
        };
        assert!(at(8003).is_ok());
        assert_eq!(
            at(8001).err(),
            Some(ErrorKind::TimedOut),
            "not even a reset comes back"
        );
        assert_eq!(at(8004).err(), Some(ErrorKind::ConnectionRefused));
        assert_eq!(
            Client::of(([127, 0, 0, 1], 8080).into()).get("/").body,
            "ok\n"
        );
    });

    let status = floodwall.status();
    let limits = status["prefilter"]["limits"].as_array().expect("a list");
    let dropped = |name: &str| {
        let limit = limits
            .iter()
            .find(|limit| limit["name"] == name)
            .expect("it is in the file");
        limit["dropped"].as_u64().expect("a count")
    };
    assert!(dropped("port:8001") > 100, "{status:#}");
    assert!(dropped("port:8000") > 99 + 30, "{status:#}");
    assert_eq!(
        status["generation"]["kernel"],
        status["generation"]["proxy"]
    );
}
