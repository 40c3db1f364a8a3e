//! Prefixes with what they say, as the buckets and the search that the program looks them up in.

mod buckets;
mod nesting;
mod search;

use floodwall_limiter::Secret;
use floodwall_xdp_abi::list::{self, Family, NODES_V4, NODES_V6, V4, V6, Value};
#[cfg(test)]
use floodwall_xdp_abi::list::{DROP, PASS};
use ipnet::IpNet;

use self::{buckets::Buckets, nesting::Prefix, search::Search};

/// The lists of one generation.
#[derive(Debug)]
pub(crate) struct Lists {
    pub(crate) data: list::Lists,
    /// Words of the IPv4 buckets.
    pub(crate) v4: Vec<u64>,
    /// Words of the IPv6 buckets.
    pub(crate) v6: Vec<u64>,
}

/// Compiles the lists, with allow over deny whatever the prefixes' lengths.
#[cfg(test)]
pub(crate) fn of(allow: &[IpNet], deny: &[IpNet], secret: Secret) -> Lists {
    let deny = deny.iter().map(|net| (*net, DROP));
    let allow = allow.iter().map(|net| (*net, PASS));
    compile(deny.chain(allow), secret, |outer, inner| {
        if outer == PASS { PASS } else { inner }
    })
}

/// Compiles prefixes. `combine` says what a prefix comes to within another one, given what each says; it is
/// asked as well when a prefix comes twice, in either order.
pub(crate) fn compile(
    prefixes: impl IntoIterator<Item = (IpNet, Value)>,
    secret: Secret,
    mut combine: impl FnMut(Value, Value) -> Value,
) -> Lists {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (net, value) in prefixes {
        let length = net.prefix_len();
        match net {
            IpNet::V4(net) => v4.push(Prefix {
                bits: u128::from(u32::from(net.network())) << 96,
                length,
                value,
            }),
            IpNet::V6(net) => v6.push(Prefix {
                bits: net.network().into(),
                length,
                value,
            }),
        }
    }
    let (v4, shape_v4, lengths_v4) = family::<V4, NODES_V4>(v4, secret, &mut combine);
    let (v6, shape_v6, lengths_v6) = family::<V6, NODES_V6>(v6, secret, &mut combine);
    Lists {
        data: list::Lists {
            v4: shape_v4,
            v6: shape_v6,
            lengths_v4,
            lengths_v6,
        },
        v4,
        v6,
    }
}

fn family<F: Family, const NODES: usize>(
    prefixes: Vec<Prefix>,
    secret: Secret,
    combine: &mut impl FnMut(Value, Value) -> Value,
) -> (Vec<u64>, list::Shape, [u8; NODES]) {
    let (default, prefixes) = nesting::resolve(prefixes, combine);
    let search = Search::<NODES>::of(&prefixes);
    let entries = nesting::entries::<F, NODES>(&prefixes, &search, default);
    let Buckets {
        words,
        keys,
        first,
        second,
    } = Buckets::place::<F>(&entries, secret);
    let shape = list::Shape {
        keys,
        first,
        second,
        depth: search.depth,
        default,
    };
    (words, shape, search.nodes)
}

impl Lists {
    pub(crate) fn has_v4(&self) -> bool {
        self.data.v4.depth > 0 || self.data.v4.default != 0
    }

    pub(crate) fn has_v6(&self) -> bool {
        self.data.v6.depth > 0 || self.data.v6.default != 0
    }
}

#[cfg(test)]
mod tests;
