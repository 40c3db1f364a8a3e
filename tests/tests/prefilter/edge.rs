//! An edge host with a pre-filter, and two others on the wire with it.

use std::net::{Ipv4Addr, SocketAddr};

use floodwall_tests::{Client, Floodwall, Host, Instance, Launch, Wire, Yaml};

pub(crate) const EDGE: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
pub(crate) const BAD: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);
pub(crate) const WEB: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(EDGE), 8080);

/// How the program is attached in a story: in the driver, in the stack, or not at all.
pub(crate) const MODES: [&str; 2] = ["native", "generic"];

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) edge: Host,
    pub(crate) bad: Host,
    pub(crate) good: Host,
    instance: Instance,
    /// After the hosts, which are plugged into it.
    pub(crate) wire: Wire,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let wire = Wire::new();
        Self {
            edge: wire.host(&["10.78.0.1/24"]),
            bad: wire.host(&["10.78.0.2/24"]),
            good: wire.host(&["10.78.0.3/24"]),
            instance: Instance::claim(),
            wire,
        }
    }

    /// Starts Floodwall with these further keys of `prefilter`, one a line.
    pub(crate) fn start(&self, mode: &str, keys: &[&str]) -> Floodwall<'_> {
        let yaml = self.yaml(mode, keys);
        Launch::default().on(&self.edge).start(&yaml)
    }

    /// The edge's file with these further keys of `prefilter`.
    pub(crate) fn yaml(&self, mode: &str, keys: &[&str]) -> Yaml {
        let keys = format!("  {}\n", keys.join("\n  "));
        let yaml = Yaml::new(
            "listeners: { web: { address: 0.0.0.0:8080 } }
admin: { address: 10.78.0.1:9901 }
limits:
  strict: { key: client, rate: 1/d, burst: 1, block: { after: 3, within: 10s, for: 1h } }
routes:
  - { name: free, match: { path_prefix: /free }, respond: { body: free } }
  - { name: all, match: { path_prefix: / }, limits: [strict], respond: { body: ok } }
prefilter:
  interfaces: [eth0]
  mode: MODE
  instance: INSTANCE
  table: { sources: 10000 }
",
        );
        yaml.with("mode: MODE", format!("mode: \"{mode}\""))
            .with("INSTANCE", &self.instance)
            .and(&keys)
    }

    /// Lets the wire take what a program in the edge's driver sends: a veth does so while its other end has a
    /// program too, here another Floodwall's.
    pub(crate) fn take_from_driver<'h>(&'h self, instance: &Instance) -> Floodwall<'h> {
        let yaml = Yaml::new(
            "listeners: { none: { address: 127.0.0.1:8080 } }
routes: [{ name: none, match: { path_prefix: / }, respond: { status: 404 } }]
prefilter: { interfaces: [PLUG], mode: native, instance: INSTANCE, table: { sources: 10000 } }
",
        );
        let yaml = yaml
            .with("PLUG", self.wire.plug(&self.edge))
            .with("INSTANCE", instance);
        Launch::default().on(self.wire.switch()).start(&yaml)
    }

    /// The page of metrics.
    pub(crate) fn metrics(&self) -> String {
        let page = Client::of(SocketAddr::from((EDGE, 9901)));
        self.good.run(|| page.get("/metrics").body)
    }
}

pub(crate) fn web() -> Client {
    Client::of(WEB)
}
