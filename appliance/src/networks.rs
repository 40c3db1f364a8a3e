//! A set of networks that answers whether an address is in one of them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks of both families, sorted and without those that another one contains, so that one binary
/// search answers.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    pub fn new(networks: &[IpNet]) -> Self {
        Self(IpNet::aggregate(&networks.to_vec()))
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let after = self
            .0
            .partition_point(|network| network.network() <= address);
        after
            .checked_sub(1)
            .is_some_and(|last| self.0[last].contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses_of_both_families() {
        let networks: Vec<IpNet> = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let networks = Networks::new(&networks);
        for inside in [
            "10.0.0.0",
            "10.1.2.3",
            "10.255.255.255",
            "192.0.2.7",
            "2001:db8::1",
            "::ffff:10.9.9.9",
        ] {
            assert!(networks.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.6", "2001:db9::", "::"] {
            assert!(!networks.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(!Networks::default().contains("10.0.0.1".parse().unwrap()));
    }
}
