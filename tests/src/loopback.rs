//! Loopback addresses that no other test uses.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// An address of 127.0.0.0/8 for one test alone, so that any port that is free on it stays free.
#[derive(Clone, Copy, Debug)]
pub struct Loopback(Ipv4Addr);

impl Loopback {
    /// Draws an address from this process's own.
    pub fn claim() -> Self {
        static CLAIMED: AtomicU32 = AtomicU32::new(0);
        // 14 bits of the process, 9 of the test; one bit keeps away from 127.0.0.1.
        let low = (process::id() & 0x3fff) << 9 | CLAIMED.fetch_add(1, Relaxed) & 0x1ff;
        Self(Ipv4Addr::from(0x7f80_0000 | low))
    }

    pub fn ip(self) -> Ipv4Addr {
        self.0
    }

    /// A port of this address that nobody listens on.
    pub fn free_port(self) -> SocketAddr {
        let listener = TcpListener::bind((self.0, 0)).expect("an address of lo has free ports");
        listener.local_addr().expect("a listener has an address")
    }

    /// An address for one listener, when one is all a test needs.
    pub fn free() -> SocketAddr {
        Self::claim().free_port()
    }
}
