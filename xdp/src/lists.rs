//! Allow and deny lists as one trie for each IP version, in which the longest prefix is the answer.

use floodwall_xdp_abi::maps::{DROP, PASS};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What each prefix does. Prefixes are in their canonical form and come once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    pub(crate) v4: Vec<(Ipv4Net, u32)>,
    pub(crate) v6: Vec<(Ipv6Net, u32)>,
}

/// Resolves both lists so that allow wins over deny whatever the prefixes' lengths: a denied prefix
/// within an allowed one is left out, and an allowed one within a denied one is longer anyway.
pub(crate) fn resolve(allow: &[IpNet], deny: &[IpNet]) -> Lists {
    // Aggregated networks are disjoint, so that the only one that can hold another is its predecessor.
    let mut allow = IpNet::aggregate(&allow.to_vec());
    allow.sort();
    let mut deny = IpNet::aggregate(&deny.to_vec());
    deny.retain(|net| !is_within(net, &allow));
    let mut lists = Lists::default();
    let allowed = allow.into_iter().map(|net| (net, PASS));
    for (net, action) in allowed.chain(deny.into_iter().map(|net| (net, DROP))) {
        match net {
            IpNet::V4(net) => lists.v4.push((net, action)),
            IpNet::V6(net) => lists.v6.push((net, action)),
        }
    }
    lists
}

fn is_within(net: &IpNet, sorted: &[IpNet]) -> bool {
    let after = sorted.partition_point(|other| other.network() <= net.network());
    after > 0 && sorted[after - 1].contains(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn allow_wins_over_a_longer_and_over_a_shorter_deny() {
        let lists = resolve(
            &nets(&["10.0.0.0/8", "192.0.2.1/32"]),
            &nets(&["10.1.0.0/16", "10.0.0.0/8", "192.0.2.0/24"]),
        );
        assert_eq!(
            lists.v4,
            [
                ("10.0.0.0/8".parse().unwrap(), PASS),
                ("192.0.2.1/32".parse().unwrap(), PASS),
                ("192.0.2.0/24".parse().unwrap(), DROP),
            ]
        );
    }

    #[test]
    fn neighbours_of_an_allowed_prefix_stay_denied() {
        let lists = resolve(
            &nets(&["2001:db8:1::/48"]),
            &nets(&["2001:db8:0::/48", "2001:db8:1:1::/64", "2001:db8:2::/48"]),
        );
        let denied = lists.v6.iter().filter(|(_, action)| *action == DROP);
        assert!(
            denied
                .map(|(net, _)| net.to_string())
                .eq(["2001:db8::/48", "2001:db8:2::/48"])
        );
    }

    #[test]
    fn everything_may_be_denied_but_for_one() {
        let lists = resolve(&nets(&["198.51.100.7/32"]), &nets(&["0.0.0.0/0", "::/0"]));
        assert_eq!((lists.v4.len(), lists.v6.len()), (2, 1));
    }
}
