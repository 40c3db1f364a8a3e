//! Where limits have other quotas: networks, put into classes, each a row of quotas.
//!
//! A packet's one look at the lists tells its source's class, however many exceptions there are.

use std::collections::HashMap;

use floodwall_limiter::Quota;
use floodwall_xdp_abi::{
    list::{ACTION, DROP, PASS, Value},
    maps::{CLASS_SHIFT, Class, LIMITS},
};
use ipnet::IpNet;

use crate::PacketLimit;

/// What each limit allows the sources of one class; [`None`] where it makes no exception.
type Row = [Option<Exception>; LIMITS];

/// No exception of any limit.
const ORDINARY: Row = [None; LIMITS];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Exception {
    Unlimited,
    Other(Quota),
}

/// The classes of one generation, by number. Class zero is that of all others.
#[derive(Debug)]
pub(crate) struct Classes {
    rows: Vec<Row>,
    numbers: HashMap<Row, u32>,
}

impl Classes {
    /// The classes of the limits' exceptions, and the networks with the values that name them.
    pub(crate) fn of(limits: &[PacketLimit]) -> (Self, Vec<(IpNet, Value)>) {
        let mut this = Self {
            rows: Vec::new(),
            numbers: HashMap::new(),
        };
        this.value(&ORDINARY);
        let mut networks = Vec::new();
        for (index, limit) in limits.iter().enumerate() {
            for (net, quota) in &limit.exceptions {
                let mut row = ORDINARY;
                row[index] = Some(quota.map_or(Exception::Unlimited, Exception::Other));
                networks.push((*net, this.value(&row)));
            }
        }
        (this, networks)
    }

    /// What a prefix of the value `inner` comes to within one of `outer`. An action decides before any limit is
    /// asked, and allow wins; of two classes the inner one has its say wherever it makes an exception.
    pub(crate) fn combine(&mut self, outer: Value, inner: Value) -> Value {
        let actions = [outer & ACTION, inner & ACTION];
        if actions.contains(&PASS) {
            return PASS;
        }
        if actions.contains(&DROP) {
            return DROP;
        }
        let [outer, inner] = [outer, inner].map(|value| self.rows[(value >> CLASS_SHIFT) as usize]);
        let row = std::array::from_fn(|index| inner[index].or(outer[index]));
        self.value(&row)
    }

    /// Whether any source has another class than the rest.
    pub(crate) fn are_used(&self) -> bool {
        self.rows.len() > 1
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The classes as the program reads them.
    pub(crate) fn table(&self, limits: &[PacketLimit]) -> Vec<Class> {
        self.rows.iter().map(|row| class(row, limits)).collect()
    }

    /// The value that names the class of a row, which becomes one if it is none.
    fn value(&mut self, row: &Row) -> Value {
        let number = *self.numbers.entry(*row).or_insert_with(|| {
            self.rows.push(*row);
            u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
        });
        number << CLASS_SHIFT
    }
}

fn class(row: &Row, limits: &[PacketLimit]) -> Class {
    let mut class = Class {
        unlimited: 0,
        quotas: [Quota::CLOSED; LIMITS],
    };
    for (index, limit) in limits.iter().enumerate() {
        class.quotas[index] = limit.quota;
        match row[index] {
            Some(Exception::Unlimited) => class.unlimited |= 1 << index,
            Some(Exception::Other(quota)) => class.quotas[index] = quota,
            None => {}
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use floodwall_limiter::Nanos;

    use super::*;
    use crate::PacketKey;

    fn quota(count: u64) -> Quota {
        Quota::new(count, Nanos::SECOND, 1)
    }

    fn limit(name: &str, exceptions: &[(&str, Option<u64>)]) -> PacketLimit {
        let exceptions = exceptions
            .iter()
            .map(|(net, count)| (net.parse().unwrap(), count.map(quota)));
        PacketLimit {
            exceptions: exceptions.collect(),
            ..PacketLimit::new(name, PacketKey::Source, quota(1))
        }
    }

    #[test]
    fn networks_that_are_treated_alike_are_one_class() {
        let limits = [
            limit("a", &[("10.0.0.0/8", Some(5)), ("11.0.0.0/8", Some(5))]),
            limit("b", &[("12.0.0.0/8", None)]),
            limit("c", &[]),
        ];
        let (classes, networks) = Classes::of(&limits);
        assert_eq!(networks[0].1, networks[1].1);
        assert_ne!(networks[0].1, networks[2].1);
        assert_eq!(classes.count(), 3);
        let table = classes.table(&limits);
        assert_eq!(table[0].quotas[0], quota(1));
        assert_eq!(table[1].quotas[..3], [quota(5), quota(1), quota(1)]);
        assert_eq!((table[1].unlimited, table[2].unlimited), (0, 0b10));
    }

    #[test]
    fn an_inner_network_has_its_say_and_inherits_the_rest() {
        let limits = [
            limit("a", &[("10.0.0.0/8", Some(5)), ("10.1.0.0/16", Some(6))]),
            limit("b", &[("10.0.0.0/8", None)]),
        ];
        let (mut classes, networks) = Classes::of(&limits);
        let outer = classes.combine(networks[0].1, networks[2].1);
        let both = classes.combine(outer, networks[1].1);
        let class = &classes.table(&limits)[(both >> CLASS_SHIFT) as usize];
        assert_eq!((class.unlimited, class.quotas[0]), (0b10, quota(6)));
    }

    #[test]
    fn what_is_allowed_or_denied_has_no_class() {
        let (mut classes, networks) = Classes::of(&[limit("a", &[("10.0.0.0/8", None)])]);
        let class = networks[0].1;
        for action in [PASS, DROP] {
            assert_eq!(classes.combine(action, class), action);
            assert_eq!(classes.combine(class, action), action);
        }
        assert_eq!(classes.combine(DROP, PASS), PASS);
        assert_eq!(classes.combine(PASS, DROP), PASS);
        assert_eq!(classes.combine(DROP, DROP), DROP);
    }
}
