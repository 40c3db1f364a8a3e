//! The scene: an edge host, and an origin, an attacker, a good client and a partner on the wire with it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use floodwall_tests::{Client, Floodwall, Host, Instance, Launch, Origin, Wire, Yaml};
use serde_json::Value;

/// Everybody's addresses. The partner's network has no limit in the example.
pub(crate) const EDGE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(crate) const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
pub(crate) const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(EDGE), 8080);
const PARTNERS_EDGE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 8080);

/// All hosts of a story, and what runs on them beside Floodwall.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) edge: Host,
    pub(crate) attacker: Host,
    pub(crate) good: Host,
    pub(crate) partner: Host,
    pub(crate) origins: [Origin; 2],
    pub(crate) instance: Instance,
    /// After the hosts, which are plugged into it.
    _wire: Wire,
    _origin: Host,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let wire = Wire::new();
        let edge = wire.host(&["10.77.0.1/24", "198.51.100.1/24"]);
        let attacker = wire.host(&["10.77.0.2/24"]);
        let good = wire.host(&["10.77.0.3/24"]);
        let partner = wire.host(&["198.51.100.7/24"]);
        let origin = wire.host(&["10.77.0.4/24"]);
        let origins = origin.run(|| [Origin::on_port(9000), Origin::on_port(9001)]);
        Self {
            edge,
            attacker,
            good,
            partner,
            origins,
            instance: Instance::claim(),
            _wire: wire,
            _origin: origin,
        }
    }

    /// `edge.yaml` on this scene's addresses.
    pub(crate) fn yaml(&self) -> Yaml {
        Yaml::example("edge.yaml")
            // Other tests keep the processor busy.
            .without_section("protection")
            .with("127.0.0.1:9000", "10.77.0.4:9000")
            .with("127.0.0.1:9001", "10.77.0.4:9001")
            .with(
                "mode: auto",
                format!(
                    "mode: auto\n  instance: {}\n  table: {{ sources: 10000 }}",
                    self.instance
                ),
            )
    }

    /// Starts Floodwall on the edge with all privileges. Everybody's packets pass the driver's XDP then.
    pub(crate) fn start(&self, yaml: &Yaml) -> Floodwall<'_> {
        let floodwall = Launch::default().on(&self.edge).start(yaml);
        let prefilter = &floodwall.status()["prefilter"];
        assert_eq!(
            prefilter["interfaces"][0]["mode"],
            "native",
            "{prefilter:#}\n{}",
            floodwall.log()
        );
        floodwall
    }
}

/// What the good client and the attacker talk to.
pub(crate) fn web() -> Client {
    Client::of(WEB)
}

/// What the partner talks to.
pub(crate) fn partners_web() -> Client {
    Client::of(PARTNERS_EDGE)
}

/// How many packets the kernel counted under a reason.
pub(crate) fn packets(status: &Value, reason: &str) -> u64 {
    let counts = status["prefilter"]["packets"].as_array().expect("a list");
    let count = counts.iter().find(|count| count["reason"] == reason);
    count
        .and_then(|count| count["packets"].as_u64())
        .unwrap_or_else(|| panic!("no {reason} in {counts:?}"))
}

/// What `status` says of a limit.
pub(crate) fn limit(status: &Value, name: &str) -> Value {
    let limits = status["limits"].as_array().expect("a list");
    limits
        .iter()
        .find(|limit| limit["name"] == name)
        .expect("it is in the file")
        .clone()
}
