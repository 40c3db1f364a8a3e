use floodwall_xdp_abi::list::{Memory, lookup};
use ipnet::{Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

const SECRET: Secret = Secret { k0: 1, k1: 2 };

struct Side<'a> {
    lengths: &'a [u8],
    words: &'a [u64],
    bucket: usize,
}

impl<'a> Memory for Side<'a> {
    type Bucket = &'a [u64];

    fn length(&self, node: usize) -> u8 {
        self.lengths[node]
    }

    fn bucket(&self, index: u32) -> Option<&'a [u64]> {
        self.words.chunks_exact(self.bucket).nth(index as usize)
    }

    fn word(bucket: &'a [u64], index: usize) -> u64 {
        bucket[index]
    }
}

impl Lists {
    /// What the program's own lookup says.
    fn says(&self, address: IpAddr) -> Value {
        let (data, v4, v6) = (&self.data, &self.v4, &self.v6);
        match address {
            IpAddr::V4(address) => {
                let memory = Side {
                    lengths: &data.lengths_v4,
                    words: v4,
                    bucket: V4::WORDS,
                };
                lookup(data.v4, &memory, V4(address.into()))
            }
            IpAddr::V6(address) => {
                let memory = Side {
                    lengths: &data.lengths_v6,
                    words: v6,
                    bucket: V6::WORDS,
                };
                lookup(data.v6, &memory, V6::from_bits(address.into()))
            }
        }
    }
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn check(lists: &Lists, expected: &[(&str, Value)]) {
    for (address, value) in expected {
        assert_eq!(lists.says(address.parse().unwrap()), *value, "{address}");
    }
}

#[test]
fn allow_wins_over_a_longer_and_over_a_shorter_deny() {
    let lists = of(
        &nets(&["10.0.0.0/8", "192.0.2.1/32"]),
        &nets(&["10.1.0.0/16", "10.0.0.0/8", "192.0.2.0/24"]),
        SECRET,
    );
    check(
        &lists,
        &[
            ("10.1.2.3", PASS),
            ("10.9.9.9", PASS),
            ("11.0.0.0", 0),
            ("192.0.2.1", PASS),
            ("192.0.2.2", DROP),
            ("192.0.3.1", 0),
        ],
    );
}

#[test]
fn neighbours_of_an_allowed_prefix_stay_denied() {
    let lists = of(
        &nets(&["2001:db8:1::/48"]),
        &nets(&["2001:db8:0::/48", "2001:db8:1:1::/64", "2001:db8:2::/48"]),
        SECRET,
    );
    check(
        &lists,
        &[
            ("2001:db8::1", DROP),
            ("2001:db8:1:1::1", PASS),
            ("2001:db8:2::", DROP),
            ("2001:db8:3::", 0),
        ],
    );
}

#[test]
fn everything_may_be_denied_but_for_one() {
    let deny = nets(&["0.0.0.0/0", "::/0"]);
    let lists = of(&nets(&["198.51.100.7/32"]), &deny, SECRET);
    let expected = [
        ("198.51.100.7", PASS),
        ("198.51.100.8", DROP),
        ("::1", DROP),
    ];
    check(&lists, &expected);
    assert!(lists.has_v4() && lists.has_v6());
}

#[test]
fn no_prefixes_take_no_memory_and_are_not_asked() {
    let lists = of(&[], &[], SECRET);
    assert!(!lists.has_v4() && !lists.has_v6());
    assert!(lists.v4.is_empty() && lists.v6.is_empty());
}

#[test]
fn a_marker_carries_what_the_shorter_prefix_says() {
    // Lengths 8, 16 and 24: the search begins at 16, where 10.1.0.0 must be a marker that says what /8 does.
    let lists = of(&[], &nets(&["10.0.0.0/8", "172.16.0.0/16"]), SECRET);
    check(&lists, &[("10.1.9.9", DROP), ("172.16.3.4", DROP)]);
    let lists = compile(
        [
            ("10.0.0.0/8".parse().unwrap(), 4),
            ("172.16.0.0/16".parse().unwrap(), 8),
            ("10.1.1.0/24".parse().unwrap(), 12),
        ],
        SECRET,
        |_, inner| inner,
    );
    check(
        &lists,
        &[("10.1.9.9", 4), ("10.1.1.9", 12), ("172.16.3.4", 8)],
    );
}

#[test]
fn a_prefix_that_comes_twice_is_combined_whatever_the_order() {
    let net = "192.0.2.0/24".parse().unwrap();
    for values in [[DROP, PASS], [PASS, DROP]] {
        let both = values.map(|value| (net, value));
        let lists = compile(both, SECRET, Ord::min);
        check(&lists, &[("192.0.2.7", PASS)]);
    }
}

/// Addresses of few bits, so that prefixes nest and addresses meet them.
fn v4() -> impl Strategy<Value = u32> {
    proptest::collection::vec(0_u32..4, 4).prop_map(|bytes| {
        bytes
            .iter()
            .fold(0, |bits, byte| (bits << 8) | (byte * 0x51))
    })
}

fn v6() -> impl Strategy<Value = u128> {
    proptest::collection::vec(0_u128..3, 8).prop_map(|words| {
        words
            .iter()
            .fold(0, |bits, word| (bits << 16) | (word * 0x5aa5))
    })
}

fn net() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        (v4(), 0_u8..=32)
            .prop_map(|(bits, length)| Ipv4Net::new_assert(bits.into(), length).trunc().into()),
        (v6(), 0_u8..=128)
            .prop_map(|(bits, length)| Ipv6Net::new_assert(bits.into(), length).trunc().into()),
    ]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        v4().prop_map(|bits| Ipv4Addr::from(bits).into()),
        v6().prop_map(|bits| Ipv6Addr::from(bits).into()),
    ]
}

proptest! {
    #[test]
    fn the_longest_prefix_is_found(
        prefixes in proptest::collection::hash_map(net(), 1_u32..1 << 24, 0..200),
        addresses in proptest::collection::vec(address(), 100),
    ) {
        let lists = compile(prefixes.clone(), SECRET, |_, inner| inner);
        let inside = prefixes.keys().map(IpNet::addr);
        for address in addresses.into_iter().chain(inside) {
            let holding = prefixes.iter().filter(|(net, _)| net.contains(&address));
            let longest = holding.max_by_key(|(net, _)| net.prefix_len());
            let expected = longest.map_or(0, |(_, value)| *value);
            prop_assert_eq!(lists.says(address), expected, "{}", address);
        }
    }

    #[test]
    fn allow_wins_and_deny_is_next(
        allow in proptest::collection::vec(net(), 0..20),
        deny in proptest::collection::vec(net(), 0..100),
        addresses in proptest::collection::vec(address(), 100),
    ) {
        let lists = of(&allow, &deny, SECRET);
        let on = |list: &[IpNet], address| list.iter().any(|net| net.contains(&address));
        for address in addresses {
            let expected = match (on(&allow, address), on(&deny, address)) {
                (true, _) => PASS,
                (false, true) => DROP,
                (false, false) => 0,
            };
            prop_assert_eq!(lists.says(address), expected, "{}", address);
        }
    }
}

#[test]
fn a_hundred_thousand_in_a_row_are_found_and_their_neighbours_are_not() {
    let every_second = (0..100_000).map(|n| Ipv4Addr::from(0x0a00_0000 + 2 * n));
    let deny: Vec<_> = every_second
        .map(|address| IpNet::from(IpAddr::V4(address)))
        .collect();
    let lists = of(&[], &deny, SECRET);
    for n in 0..200_000 {
        let expected = if n % 2 == 0 { DROP } else { 0 };
        assert_eq!(lists.says(Ipv4Addr::from(0x0a00_0000 + n).into()), expected);
    }
}
