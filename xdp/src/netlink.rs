//! What XDP program an interface has, asked over rtnetlink: the one question that BPF links do not answer.

use std::{io, os::fd::AsRawFd as _};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use crate::{Error, Mode};

/// A program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    /// The program's id in the kernel.
    pub(crate) program: u32,
    pub(crate) mode: Mode,
}

// From <linux/rtnetlink.h> and <linux/if_link.h>.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLM_F_REQUEST: u16 = 1;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const XDP_ATTACHED_NONE: u8 = 0;
const XDP_ATTACHED_SKB: u8 = 2;
const NLA_TYPE_MASK: u16 = 0x3fff;
/// `struct nlmsghdr` and `struct ifinfomsg`: 16 bytes each.
const HEADERS: usize = 32;

/// Asks which program an interface has.
///
/// # Errors
/// [`Error::Kernel`] when the question fails, as it does for an interface that has just gone.
pub(crate) fn attached(ifindex: u32) -> Result<Option<Attached>, Error> {
    let reply = ask(ifindex)
        .map_err(|error| Error::kernel(format!("ask about interface {ifindex}"), error))?;
    Ok(parse(&reply))
}

fn ask(ifindex: u32) -> io::Result<Vec<u8>> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(
        socket.as_raw_fd(),
        &request(ifindex),
        &kernel,
        MsgFlags::empty(),
    )?;
    // One link's description has some kilobytes, more with many virtual functions.
    let mut reply = vec![0; 1 << 18];
    let len = recv(socket.as_raw_fd(), &mut reply, MsgFlags::empty())?;
    reply.truncate(len);
    match reply.get(4..6) {
        Some(kind) if u16::from_ne_bytes([kind[0], kind[1]]) == RTM_NEWLINK => Ok(reply),
        _ => Err(io::Error::other("the kernel does not know it")),
    }
}

fn request(ifindex: u32) -> [u8; HEADERS] {
    let mut request = [0; HEADERS];
    request[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    request[20..24].copy_from_slice(&ifindex.to_ne_bytes());
    request
}

fn parse(reply: &[u8]) -> Option<Attached> {
    let xdp = attribute(reply.get(HEADERS..)?, IFLA_XDP)?;
    let mode = match *attribute(xdp, IFLA_XDP_ATTACHED)?.first()? {
        XDP_ATTACHED_NONE => return None,
        XDP_ATTACHED_SKB => Mode::Generic,
        _ => Mode::Native,
    };
    let program = attribute(xdp, IFLA_XDP_PROG_ID)
        .and_then(|id| id.first_chunk().copied())
        .map_or(0, u32::from_ne_bytes);
    Some(Attached { program, mode })
}

/// The payload of the first attribute of this kind. Attributes begin at multiples of four bytes.
fn attribute(mut rest: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let header: [u8; 4] = *rest.first_chunk()?;
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let payload = rest.get(4..len)?;
        if u16::from_ne_bytes([header[2], header[3]]) & NLA_TYPE_MASK == kind {
            return Some(payload);
        }
        rest = rest.get(len.next_multiple_of(4)..)?;
    }
}
