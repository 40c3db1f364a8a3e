//! A map from nested things, such as networks or prefixes, that finds the innermost one around a value.
//!
//! Entries are sorted so that whatever contains an entry stands before it; each knows the innermost one around
//! itself. A binary search finds the last entry that begins at or before the value, and the way outwards from
//! there passes every entry that contains it: as many steps as entries are nested, however many there are.

use std::net::IpAddr;

use ipnet::IpNet;

/// Something that contains values and others of its kind, which never overlap in part.
pub(super) trait Nest {
    type Value: ?Sized;

    /// The order in which an outer one comes before those that it contains.
    fn before(&self, other: &Self) -> std::cmp::Ordering;
    /// Whether it begins after the value.
    fn is_after(&self, value: &Self::Value) -> bool;
    fn contains(&self, value: &Self::Value) -> bool;
    fn surrounds(&self, other: &Self) -> bool;
}

/// A map from nests to `T`.
#[derive(Debug)]
pub(super) struct Nested<N, T>(Vec<Entry<N, T>>);

#[derive(Debug)]
struct Entry<N, T> {
    nest: N,
    of: T,
    /// The innermost entry around this one.
    around: Option<usize>,
}

impl<N: Nest, T> Nested<N, T> {
    pub(super) fn new(entries: impl IntoIterator<Item = (N, T)>) -> Self {
        let mut sorted: Vec<(N, T)> = entries.into_iter().collect();
        sorted.sort_by(|(one, _), (other, _)| one.before(other));
        let mut all: Vec<Entry<N, T>> = Vec::with_capacity(sorted.len());
        for (nest, of) in sorted {
            let mut around = all.len().checked_sub(1);
            while let Some(at) = around
                && !all[at].nest.surrounds(&nest)
            {
                around = all[at].around;
            }
            all.push(Entry { nest, of, around });
        }
        Self(all)
    }

    /// What the innermost nest around a value stands for.
    pub(super) fn find(&self, value: &N::Value) -> Option<&T> {
        let after = self.0.partition_point(|entry| !entry.nest.is_after(value));
        let mut at = after.checked_sub(1);
        while let Some(entry) = at.map(|at| &self.0[at]) {
            if entry.nest.contains(value) {
                return Some(&entry.of);
            }
            at = entry.around;
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Nest for IpNet {
    type Value = IpAddr;

    fn before(&self, other: &Self) -> std::cmp::Ordering {
        (self.network(), self.prefix_len()).cmp(&(other.network(), other.prefix_len()))
    }

    fn is_after(&self, value: &IpAddr) -> bool {
        self.network() > *value
    }

    fn contains(&self, value: &IpAddr) -> bool {
        IpNet::contains(self, value)
    }

    fn surrounds(&self, other: &Self) -> bool {
        IpNet::contains(self, other)
    }
}

/// What a text begins with.
impl Nest for String {
    type Value = str;

    fn before(&self, other: &Self) -> std::cmp::Ordering {
        self.cmp(other)
    }

    fn is_after(&self, value: &str) -> bool {
        self.as_str() > value
    }

    fn contains(&self, value: &str) -> bool {
        value.starts_with(self.as_str())
    }

    fn surrounds(&self, other: &Self) -> bool {
        other.starts_with(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_innermost_network_counts_whatever_stands_between() {
        let networks = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.9.9/32",
            "0.0.0.0/0",
            "2001:db8::/32",
        ];
        let nested = Nested::new(networks.map(|text| (text.parse::<IpNet>().unwrap(), text)));
        for (address, expected) in [
            ("10.1.2.3", Some("10.1.2.0/24")),
            ("10.1.9.9", Some("10.1.9.9/32")),
            ("10.1.9.10", Some("10.1.0.0/16")),
            ("10.200.0.1", Some("10.0.0.0/8")),
            ("192.0.2.1", Some("0.0.0.0/0")),
            ("2001:db8::1", Some("2001:db8::/32")),
            ("2001:db9::1", None),
        ] {
            assert_eq!(
                nested.find(&address.parse().unwrap()).copied(),
                expected,
                "{address}"
            );
        }
    }

    #[test]
    fn the_longest_prefix_counts() {
        let nested = Nested::new(
            ["", "user-", "user-1", "user-10", "vip"].map(|text| (text.to_owned(), text)),
        );
        for (value, expected) in [
            ("user-1", "user-1"),
            ("user-100", "user-10"),
            ("user-19", "user-1"),
            ("user-2", "user-"),
            ("user", ""),
            ("vip!", "vip"),
            ("zoe", ""),
        ] {
            assert_eq!(nested.find(value).copied(), Some(expected), "{value}");
        }
        assert!(Nested::<String, ()>::new([]).find("x").is_none());
    }

    #[test]
    fn a_hundred_thousand_entries_cost_a_lookup_no_more_than_a_search() {
        let network = |number: u32| IpNet::from(IpAddr::from(Ipv4Addr::from(number << 12)));
        let nested = Nested::new((0..100_000).map(|number| (network(number), number)));
        let started = std::time::Instant::now();
        for number in 0..100_000_u32 {
            let address = IpAddr::from(Ipv4Addr::from(number << 12));
            assert_eq!(nested.find(&address), Some(&number));
            assert_eq!(
                nested.find(&IpAddr::from(Ipv4Addr::from(number << 12 | 1))),
                None
            );
        }
        println!("{:?} a lookup", started.elapsed() / 200_000);
    }
}
