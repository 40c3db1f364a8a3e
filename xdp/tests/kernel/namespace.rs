//! A network namespace of its own for the calling thread, with a pair of virtual interfaces.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    ifaddrs::getifaddrs,
    sched::{CloneFlags, unshare},
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrStorage, sendto, socket,
    },
};

/// Two interfaces, `left` and `right`: what is sent into the left one comes in at the right one.
///
/// The namespace belongs to the thread that made it, and goes with it.
pub(crate) struct Namespace {
    socket: OwnedFd,
    left: LinkAddr,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        // The host's own neighbour discovery would be counted among the test's packets.
        for which in ["all", "default"] {
            let path = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
            fs::write(path, "1").unwrap();
        }
        pair();
        let flags = SockFlag::empty();
        Self {
            socket: socket(AddressFamily::Packet, SockType::Raw, flags, None).unwrap(),
            left: link_address("left"),
        }
    }

    /// Sends a frame into the left interface.
    pub(crate) fn send(&self, frame: &[u8]) {
        self.send_to(self.left, frame);
    }

    /// Sends a frame into an interface by its name.
    pub(crate) fn send_into(&self, name: &str, frame: &[u8]) {
        self.send_to(link_address(name), frame);
    }

    fn send_to(&self, link: LinkAddr, frame: &[u8]) {
        let socket = self.socket.as_raw_fd();
        sendto(socket, frame, &link, MsgFlags::empty()).unwrap();
    }
}

/// Makes the two interfaces.
pub(crate) fn pair() {
    ip("link add left type veth peer name right");
    for name in ["lo", "left", "right"] {
        ip(&format!("link set {name} up"));
    }
}

fn link_address(name: &str) -> LinkAddr {
    let mut all = getifaddrs()
        .unwrap()
        .filter(|found| found.interface_name == name);
    let address = |address: SockaddrStorage| address.as_link_addr().copied();
    all.find_map(|found| found.address.and_then(address))
        .unwrap()
}

pub(crate) fn ip(arguments: &str) {
    assert!(try_ip(arguments), "ip {arguments}");
}

pub(crate) fn try_ip(arguments: &str) -> bool {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    status.unwrap().success()
}

/// The number of an interface.
pub(crate) fn index(name: &str) -> u32 {
    nix::net::if_::if_nametoindex(name).unwrap()
}

/// Waits until something holds, for ten seconds at most.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        thread::yield_now();
    }
}
