//! Two hosts on one cable, with nothing between that would cost time of its own.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    process::Command,
};

use anyhow::bail;
use floodwall_tests::Host;

/// A server and a client, each with its end of one veth pair as `eth0`.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) server: Host,
    pub(crate) client: Host,
}

/// The server's address and port.
pub(crate) const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 1), 8080);

/// What the client sends here ends at its own device, which throws everything away.
pub(crate) const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 78, 0, 1), 8080);

/// The clients of the cable, by number.
pub(crate) fn client_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 1, number)
}

impl Cable {
    /// Lays it, with so many addresses at the client's end.
    pub(crate) fn lay(clients: u8) -> anyhow::Result<Self> {
        let (server, client) = (Host::alone(), Host::alone());
        let other_end = client.path();
        server.run(|| {
            ip(&format!(
                "link add eth0 type veth peer name eth0 netns {}",
                other_end.display()
            ))?;
            ip(&format!("address add {}/16 dev eth0", SERVER.ip()))?;
            ip("link set eth0 up")
        })?;
        client.run(|| {
            for number in 0..clients {
                ip(&format!(
                    "address add {}/16 dev eth0",
                    client_address(number)
                ))?;
            }
            ip("link set eth0 up")?;
            // Its other end stays down: without a carrier the stack throws away what it would send.
            ip("link add sink0 type veth peer name sink1")?;
            ip("link set sink0 up")?;
            let (nowhere, client) = (NOWHERE.ip(), client_address(0));
            ip(&format!("route add {nowhere}/32 dev sink0 src {client}"))?;
            ip(&format!(
                "neighbour add {nowhere} dev sink0 lladdr 02:00:00:00:00:01 nud permanent"
            ))
        })?;
        Ok(Self { server, client })
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output()?;
    if !output.status.success() {
        bail!(
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
