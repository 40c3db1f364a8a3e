//! What an interface has and could have, for whoever asks before anything is attached.

use std::io;

use nix::sys::socket::SockProtocol;

use crate::{Mode, attachment::index_of, foreign, netlink};

/// The XDP program of an interface, whosever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// Its name, number and holders, as far as this process may see them.
    pub words: String,
    pub mode: Mode,
}

/// What the driver of an interface can do with XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverSupport {
    /// Programs run in the driver, before the stack has spent anything on a packet.
    pub native: bool,
    /// Also for packets in several buffers, as an MTU above a page brings them.
    pub frags: bool,
}

/// The program on an interface; none when it has none, or when there is no such interface.
///
/// # Errors
/// When the kernel does not answer.
pub fn occupant(interface: &str) -> Result<Option<Occupant>, crate::Error> {
    let Some(ifindex) = index_of(interface) else {
        return Ok(None);
    };
    let attached = netlink::attached(ifindex)?;
    Ok(attached.map(|attached| Occupant {
        words: foreign::describe(attached.program),
        mode: attached.mode,
    }))
}

/// What the driver says of itself; none when the kernel does not say, or when there is no such interface.
///
/// # Minimum kernel version
/// 6.3; an older kernel does not say.
pub fn driver_support(interface: &str) -> Option<DriverSupport> {
    let features = xdp_features(index_of(interface)?).ok().flatten()?;
    Some(DriverSupport {
        native: features & NETDEV_XDP_ACT_BASIC != 0,
        frags: features & NETDEV_XDP_ACT_RX_SG != 0,
    })
}

// From <linux/genetlink.h> and <linux/netdev.h>.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
const NETDEV_XDP_ACT_BASIC: u64 = 1;
const NETDEV_XDP_ACT_RX_SG: u64 = 1 << 5;

fn xdp_features(ifindex: u32) -> io::Result<Option<u64>> {
    let family = ask(
        GENL_ID_CTRL,
        CTRL_CMD_GETFAMILY,
        CTRL_ATTR_FAMILY_NAME,
        b"netdev\0",
    )?;
    let family = family.and_then(|reply| {
        let id = netlink::attribute(&reply, CTRL_ATTR_FAMILY_ID)?;
        id.first_chunk().copied().map(u16::from_ne_bytes)
    });
    let Some(family) = family else {
        return Ok(None);
    };
    let index = ifindex.to_ne_bytes();
    let device = ask(family, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &index)?;
    Ok(device.and_then(|reply| {
        let features = netlink::attribute(&reply, NETDEV_A_DEV_XDP_FEATURES)?;
        features.first_chunk().copied().map(u64::from_ne_bytes)
    }))
}

/// Sends a command with one attribute; the attributes of the answer, or none when the kernel knows nothing of it.
fn ask(family: u16, command: u8, attribute: u16, value: &[u8]) -> io::Result<Option<Vec<u8>>> {
    /// `struct nlmsghdr` and `struct genlmsghdr`.
    const HEADERS: usize = 20;
    let message = message(family, command, attribute, value);
    let mut reply = netlink::exchange(SockProtocol::NetlinkGeneric, &message)?;
    if netlink::kind(&reply) != Some(family) || reply.len() < HEADERS {
        return Ok(None);
    }
    Ok(Some(reply.split_off(HEADERS)))
}

fn message(family: u16, command: u8, attribute: u16, value: &[u8]) -> Vec<u8> {
    const ATTRIBUTE_HEADER: usize = 4;
    const VERSION: u8 = 1;
    let padded = value.len().next_multiple_of(4);
    // Both are a few bytes long.
    let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
    let mut message = Vec::new();
    message.extend(u32::from(short(20 + ATTRIBUTE_HEADER + padded)).to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend(netlink::NLM_F_REQUEST.to_ne_bytes());
    // Sequence and port: one question, one answer.
    message.extend([0; 8]);
    message.extend([command, VERSION, 0, 0]);
    message.extend(short(ATTRIBUTE_HEADER + value.len()).to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(value);
    message.resize(20 + ATTRIBUTE_HEADER + padded, 0);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_says() {
        let message = message(16, 3, 2, b"netdev\0");
        assert_eq!(message.len(), 32);
        assert_eq!(message[..4], 32_u32.to_ne_bytes());
        assert_eq!(message[20..22], 11_u16.to_ne_bytes());
        assert_eq!(message[24..], *b"netdev\0\0");
    }

    #[test]
    fn nobody_has_a_program_on_an_interface_that_is_not_there() {
        assert_eq!(occupant("no-such-one").unwrap(), None);
        assert_eq!(driver_support("no-such-one"), None);
    }

    #[test]
    fn the_loopback_has_no_program_of_its_own_driver() {
        // Older kernels do not say.
        assert!(driver_support("lo").is_none_or(|support| !support.native));
    }
}
