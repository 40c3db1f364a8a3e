//! What XDP program an interface has, asked over rtnetlink: the one question that BPF links do not answer. And
//! the way to take off a program that is there without a link.

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
const RTM_SETLINK: u16 = 19;
const NLMSG_ERROR: u16 = 2;
pub(crate) const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLA_F_NESTED: u16 = 1 << 15;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_FD: u16 = 1;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_FLAGS: u16 = 3;
const IFLA_XDP_PROG_ID: u16 = 4;
const XDP_ATTACHED_NONE: u8 = 0;
const XDP_ATTACHED_SKB: u8 = 2;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
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

/// All attributes of an interface.
pub(crate) fn describe(ifindex: u32) -> io::Result<Vec<u8>> {
    let mut reply = ask(ifindex)?;
    Ok(reply.split_off(HEADERS.min(reply.len())))
}

/// Takes off a program that was attached without a link.
pub(crate) fn detach(ifindex: u32, mode: Mode) -> io::Result<()> {
    let reply = exchange(SockProtocol::NetlinkRoute, &removal(ifindex, mode))?;
    match (kind(&reply), reply.get(16..20)) {
        // An acknowledgement is an error of zero.
        (Some(NLMSG_ERROR), Some(&[a, b, c, d])) => match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(-number)),
        },
        _ => Err(io::Error::other(
            "the kernel does not say what became of it",
        )),
    }
}

fn ask(ifindex: u32) -> io::Result<Vec<u8>> {
    let reply = exchange(SockProtocol::NetlinkRoute, &request(ifindex))?;
    match kind(&reply) {
        Some(RTM_NEWLINK) => Ok(reply),
        _ => Err(io::Error::other("the kernel does not know it")),
    }
}

pub(crate) fn kind(reply: &[u8]) -> Option<u16> {
    let kind = reply.get(4..6)?;
    Some(u16::from_ne_bytes([kind[0], kind[1]]))
}

/// Sends a message and takes the first answer.
pub(crate) fn exchange(protocol: SockProtocol, message: &[u8]) -> io::Result<Vec<u8>> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), message, &kernel, MsgFlags::empty())?;
    // One link's description has some kilobytes, more with many virtual functions.
    let mut reply = vec![0; 1 << 18];
    let len = recv(socket.as_raw_fd(), &mut reply, MsgFlags::empty())?;
    reply.truncate(len);
    Ok(reply)
}

/// The headers, and within `IFLA_XDP` a program that is none and the mode to take it off in.
fn removal(ifindex: u32, mode: Mode) -> [u8; HEADERS + 20] {
    let flags = match mode {
        Mode::Generic => XDP_FLAGS_SKB_MODE,
        Mode::Native | Mode::Auto => XDP_FLAGS_DRV_MODE,
    };
    let mut message = [0; HEADERS + 20];
    message[..HEADERS].copy_from_slice(&request(ifindex));
    message[0..4].copy_from_slice(&52_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_SETLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    let attributes = &mut message[HEADERS..];
    attributes[0..2].copy_from_slice(&20_u16.to_ne_bytes());
    attributes[2..4].copy_from_slice(&(IFLA_XDP | NLA_F_NESTED).to_ne_bytes());
    attributes[4..6].copy_from_slice(&8_u16.to_ne_bytes());
    attributes[6..8].copy_from_slice(&IFLA_XDP_FD.to_ne_bytes());
    attributes[8..12].copy_from_slice(&(-1_i32).to_ne_bytes());
    attributes[12..14].copy_from_slice(&8_u16.to_ne_bytes());
    attributes[14..16].copy_from_slice(&IFLA_XDP_FLAGS.to_ne_bytes());
    attributes[16..20].copy_from_slice(&flags.to_ne_bytes());
    message
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
pub(crate) fn attribute(mut rest: &[u8], kind: u16) -> Option<&[u8]> {
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
