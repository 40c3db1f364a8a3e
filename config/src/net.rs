//! Addresses and networks.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::read::{Cursor, text};

pub(crate) const ADDRESS_PATTERN: &str = r"([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}";
pub(crate) const NET_PATTERN: &str = "[0-9A-Fa-f:.]+(/[0-9]{1,3})?";

const NET: &str = "an address or a network, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32";

/// Reads an address and a port that is not 0.
pub(crate) fn address(value: Cursor<'_>) -> Option<SocketAddr> {
    match text(value)?.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => value.refuse("a port from 1 to 65535"),
        Ok(address) => Some(address),
        Err(_) => value.refuse("an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"),
    }
}

/// Reads a network, or an address as a network of one.
pub(crate) fn net(value: Cursor<'_>) -> Option<IpNet> {
    net_of(text(value)?, value)
}

/// Reads the network that `written` stands for; problems are reported at `value`.
pub(crate) fn net_of(written: &str, value: Cursor<'_>) -> Option<IpNet> {
    match checked(written) {
        Ok(net) => Some(net),
        Err(Odd::Unreadable) => value.refuse_as(format!("`{written}`"), NET),
        Err(Odd::Value { found, allowed }) => value.refuse_as(found, allowed),
    }
}

/// What keeps a text from being a network.
pub(crate) enum Odd {
    Unreadable,
    /// It could be one, but for this.
    Value {
        found: String,
        allowed: String,
    },
}

/// The network that a text stands for, if a list may have it.
pub(crate) fn checked(written: &str) -> Result<IpNet, Odd> {
    let net = parse_net(written).ok_or(Odd::Unreadable)?;
    if net.trunc() != net {
        return Err(Odd::Value {
            found: format!("`{written}` with host bits set"),
            allowed: net.trunc().to_string(),
        });
    }
    // The stack and the kernel program see such a client as IPv4: the entry would never be met.
    if let IpAddr::V6(address) = net.addr()
        && let Some(plain) = address.to_ipv4_mapped()
    {
        return Err(Odd::Value {
            found: format!("the IPv4-mapped `{written}`"),
            allowed: format!("it as IPv4: {plain}"),
        });
    }
    Ok(net)
}

/// The network that a text stands for, host bits and all.
pub(crate) fn parse_net(text: &str) -> Option<IpNet> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
}

/// The addresses that are already listened on, so that none is bound twice.
#[derive(Default)]
pub(crate) struct Bound {
    by_port: HashMap<u16, Vec<(IpAddr, String)>>,
    by_path: HashMap<PathBuf, String>,
}

impl Bound {
    /// Takes `address` for `owner`, unless another has it, or the whole port.
    pub(crate) fn claim(
        &mut self,
        value: Cursor<'_>,
        address: SocketAddr,
        owner: &str,
    ) -> Option<SocketAddr> {
        let owners = self.by_port.entry(address.port()).or_default();
        let clash = |ip: &IpAddr| {
            let same_family = ip.is_ipv4() == address.is_ipv4();
            *ip == address.ip()
                || same_family && (ip.is_unspecified() || address.ip().is_unspecified())
        };
        if let Some((ip, other)) = owners.iter().find(|(ip, _)| clash(ip)) {
            let taken = SocketAddr::new(*ip, address.port());
            return value.refuse_as(
                format!("`{address}`, but {other} has {taken}"),
                "an address of its own",
            );
        }
        owners.push((address.ip(), owner.to_owned()));
        Some(address)
    }

    /// Takes the path of a unix socket for `owner`, unless another has it.
    pub(crate) fn claim_path(
        &mut self,
        value: Cursor<'_>,
        path: PathBuf,
        owner: &str,
    ) -> Option<PathBuf> {
        if let Some(other) = self.by_path.get(&path) {
            let found = format!("{}, but {other} has it", path.display());
            return value.refuse_as(found, "a path of its own");
        }
        self.by_path.insert(path.clone(), owner.to_owned());
        Some(path)
    }
}
