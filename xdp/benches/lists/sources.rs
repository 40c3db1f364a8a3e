//! Sources on a list, and one that is on none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A kind of list: its family, and the lengths of its prefixes.
#[derive(Clone, Copy)]
pub(crate) struct Sources {
    pub(crate) name: &'static str,
    six: bool,
    lengths: [u8; 3],
}

impl Sources {
    pub(crate) const V4_NETWORKS: Self = Self {
        name: "ipv4-networks",
        six: false,
        lengths: [24, 28, 32],
    };
    pub(crate) const V4_ADDRESSES: Self = Self {
        name: "ipv4-addresses",
        six: false,
        lengths: [32; 3],
    };
    pub(crate) const V6_NETWORKS: Self = Self {
        name: "ipv6-networks",
        six: true,
        lengths: [48, 56, 64],
    };

    /// The nth network, spread over the address space.
    pub(crate) fn net(self, index: u32) -> IpNet {
        let length = self.lengths[index as usize % 3];
        match self.on(index) {
            IpAddr::V4(address) => Ipv4Net::new_assert(address, length).trunc().into(),
            IpAddr::V6(address) => Ipv6Net::new_assert(address, length).trunc().into(),
        }
    }

    /// An address of the nth network.
    pub(crate) fn on(self, index: u32) -> IpAddr {
        // An odd factor: all different, and in no order.
        let bits = index.wrapping_mul(0x9e37_79b1) >> 1;
        if self.six {
            Ipv6Addr::from(0x2001_u128 << 112 | u128::from(bits) << 64).into()
        } else {
            Ipv4Addr::from(bits).into()
        }
    }

    /// An address that no list has.
    pub(crate) fn off(self) -> IpAddr {
        if self.six {
            Ipv6Addr::from(0x2a00_u128 << 112 | 1).into()
        } else {
            Ipv4Addr::from(0xc633_6407).into()
        }
    }
}
