//! Which interface brings the packets of another one: what comes in on both would be judged, and charged, twice.

use std::io;

use crate::{attachment::index_of, netlink};

/// How a packet comes to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Over this one, where the pre-filter sees all of its packets as they are.
    Over(u32),
    /// By itself, or over one where they look otherwise.
    Own,
}

/// More devices on top of each other than this nobody has.
const MOST: usize = 8;

/// Those of `names` over which all that comes to the interface has come before, the nearest first: the devices below a
/// VLAN or a macvlan, and the bond that it is a part of. None when there are none, and when nobody can say.
pub(crate) fn covers<'n>(interface: &str, names: &'n [String]) -> Vec<&'n String> {
    let mut found = Vec::new();
    let mut index = index_of(interface);
    for _ in 0..MOST {
        index = match index.map(way_to) {
            Some(Ok(Way::Over(next))) => Some(next),
            _ => break,
        };
        found.extend(names.iter().find(|name| index_of(name) == index));
    }
    found
}

// From <linux/if_link.h>.
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;

fn way_to(index: u32) -> io::Result<Way> {
    let attributes = netlink::describe(index)?;
    Ok(way_in(&attributes).unwrap_or(Way::Own))
}

fn way_in(attributes: &[u8]) -> Option<Way> {
    let number = |kind| {
        let number = netlink::attribute(attributes, kind)?;
        number.first_chunk().copied().map(u32::from_ne_bytes)
    };
    let info = netlink::attribute(attributes, IFLA_LINKINFO)?;
    let is_one_of = |which, kinds: &[&[u8]]| {
        let kind = netlink::attribute(info, which);
        let kind = kind.and_then(|kind| kind.split(|byte| *byte == 0).next());
        kind.is_some_and(|kind| kinds.contains(&kind))
    };
    if is_one_of(IFLA_INFO_SLAVE_KIND, &[b"bond", b"team"]) {
        return number(IFLA_MASTER).map(Way::Over);
    }
    // Tunnels and encryption show other packets below than above.
    let lies_on = is_one_of(
        IFLA_INFO_KIND,
        &[b"vlan", b"macvlan", b"macvtap", b"ipvlan", b"ipvtap"],
    );
    // What lies in another network namespace has a number of its own there.
    if lies_on && netlink::attribute(attributes, IFLA_LINK_NETNSID).is_none() {
        return number(IFLA_LINK).map(Way::Over);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut all = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        all.extend(value);
        all.resize(all.len().next_multiple_of(4), 0);
        all
    }

    fn device(kind: &str, slave: &str, numbers: &[(u16, u32)]) -> Vec<u8> {
        let mut info = Vec::new();
        for (which, kind) in [(IFLA_INFO_KIND, kind), (IFLA_INFO_SLAVE_KIND, slave)] {
            if !kind.is_empty() {
                info.extend(attribute(which, format!("{kind}\0").as_bytes()));
            }
        }
        let mut all = attribute(3, b"name\0");
        for (which, number) in numbers {
            all.extend(attribute(*which, &number.to_ne_bytes()));
        }
        all.extend(attribute(IFLA_LINKINFO, &info));
        all
    }

    #[test]
    fn what_lies_on_another_is_told_from_what_only_names_one() {
        let way = |kind, slave, numbers: &[(u16, u32)]| way_in(&device(kind, slave, numbers));
        let (over, none) = (|index| Some(Way::Over(index)), None);
        assert_eq!(way("vlan", "", &[(IFLA_LINK, 7)]), over(7));
        assert_eq!(way("macvlan", "", &[(IFLA_LINK, 7)]), over(7));
        assert_eq!(
            way("veth", "bond", &[(IFLA_LINK, 7), (IFLA_MASTER, 9)]),
            over(9)
        );
        assert_eq!(way("", "team", &[(IFLA_MASTER, 9)]), over(9));
        // The other end of a pair, a port of a bridge, an underlay, a device of another namespace.
        assert_eq!(way("veth", "", &[(IFLA_LINK, 7)]), none);
        assert_eq!(way("veth", "bridge", &[(IFLA_MASTER, 9)]), none);
        assert_eq!(way("vxlan", "", &[(IFLA_LINK, 7)]), none);
        assert_eq!(way("macsec", "", &[(IFLA_LINK, 7)]), none);
        assert_eq!(
            way("vlan", "", &[(IFLA_LINK, 7), (IFLA_LINK_NETNSID, 0)]),
            none
        );
        assert_eq!(way_in(&attribute(3, b"lo\0")), none);
    }

    #[test]
    fn nothing_covers_what_is_not_there() {
        let names = ["lo".to_owned()];
        assert!(covers("no-such-one", &names).is_empty());
        assert!(covers("lo", &names).is_empty());
    }
}
