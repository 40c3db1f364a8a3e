//! Where it is played: hosts in namespaces on one wire, or addresses of the loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use floodwall_tests::{
    Client, Floodwall, Host, Instance, Launch, Loopback, Origin, Wire, Yaml, privilege,
};

use crate::story::Pace;

const FILE: &str = include_str!("demo.yaml");

const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)), 8080);
const ORIGIN: &str = "10.77.0.4:9000";

/// Everybody but the service.
pub(crate) struct Stage {
    pub(crate) attacker: Player,
    pub(crate) good: Player,
    web: SocketAddr,
    origin: Origin,
    network: Option<Network>,
}

/// What there is in namespaces alone. The hosts come before the wire that they are plugged into.
struct Network {
    instance: Instance,
    edge: Host,
    _behind: Host,
    _wire: Wire,
}

/// Somebody who sends, from a host or from an address.
pub(crate) struct Player {
    host: Option<Host>,
    pub(crate) client: Client,
    pub(crate) address: IpAddr,
    pub(crate) web: SocketAddr,
}

impl Stage {
    /// Sets the stage that this user may set.
    pub(crate) fn set() -> Self {
        if privilege::is_root() {
            Self::in_namespaces()
        } else {
            Self::on_loopback()
        }
    }

    pub(crate) fn is_in_namespaces(&self) -> bool {
        self.network.is_some()
    }

    /// Starts the service between everybody.
    pub(crate) fn start(&self, pace: &Pace) -> Floodwall<'_> {
        if let Some(network) = &self.network {
            let yaml = yaml(self.web, ORIGIN, pace).with("INSTANCE", &network.instance);
            return Launch::default().on(&network.edge).start(&yaml);
        }
        let origin = self.origin.address().to_string();
        let yaml = yaml(self.web, &origin, pace).without_line("prefilter:");
        Floodwall::start(&yaml)
    }

    fn in_namespaces() -> Self {
        let wire = Wire::new();
        let edge = wire.host(&["10.77.0.1/24"]);
        let behind = wire.host(&["10.77.0.4/24"]);
        let origin = behind.run(|| Origin::on_port(9000));
        let player = |last| Player {
            host: Some(wire.host(&[&format!("10.77.0.{last}/24")])),
            client: Client::of(WEB),
            address: Ipv4Addr::new(10, 77, 0, last).into(),
            web: WEB,
        };
        Self {
            attacker: player(2),
            good: player(3),
            web: WEB,
            origin,
            network: Some(Network {
                instance: Instance::claim(),
                edge,
                _behind: behind,
                _wire: wire,
            }),
        }
    }

    fn on_loopback() -> Self {
        let web = Loopback::free();
        let player = || {
            let address = IpAddr::from(Loopback::claim().ip());
            Player {
                host: None,
                client: Client::of(web).from(address),
                address,
                web,
            }
        };
        Self {
            attacker: player(),
            good: player(),
            web,
            origin: Origin::start(),
            network: None,
        }
    }
}

fn yaml(web: SocketAddr, origin: &str, pace: &Pace) -> Yaml {
    Yaml::new(FILE)
        .with("WEB", web)
        .with("ORIGIN", origin)
        .with("BLOCK", format!("{}s", pace.block.as_secs()))
}

impl Player {
    /// Runs `work` where this player is. Sockets and threads that it makes stay there.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.host {
            Some(host) => host.run(work),
            None => work(),
        }
    }
}
