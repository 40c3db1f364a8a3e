//! The answer to a SYN above a limit's rate: a SYN-ACK whose sequence number is the kernel's own SYN cookie.
//!
//! Nothing is kept of it. The client's ACK is no SYN, so no limit of SYNs takes it, and the stack finds in it
//! all that it needs. The cookie is asked of the listener's socket, not made from the headers alone
//! (`bpf_tcp_raw_gen_syncookie_ipv4`): the stack takes cookies only on a socket that knows of having given
//! some, and only the socket tells whether there is room in its queue.
//!
//! A cookie has no room for TCP's timestamps, which carry the rest: such a connection has neither window
//! scaling nor selective acknowledgements.

use aya_ebpf::{
    bindings::{BPF_F_CURRENT_NETNS, bpf_sock_tuple, xdp_md},
    helpers::{bpf_sk_release, bpf_skc_lookup_tcp, bpf_tcp_gen_syncookie},
    programs::XdpContext,
};
use floodwall_xdp_abi::{
    Datagram, Facts,
    bytes::{Bytes as _, Window as _},
    maps::LISTENER,
};

use crate::{
    maps,
    memory::Packet,
    reply::{self, ACK, IPV4, IPV6, LAST_TRANSPORT, SYN, Segment, TCP, TCP_WITH_MSS},
};

/// Makes a SYN its own answer, and counts it for the limit with these counters. False when it shall be dropped
/// instead: it goes to no listener's port, or the listener gives no cookies.
#[inline(always)]
pub(crate) fn answer(packet: Packet, datagram: &Datagram, slot: u32) -> bool {
    let whole = datagram.facts.has(Facts::RESETTABLE);
    if !whole
        || maps::port(datagram.port) & LISTENER == 0
        || !reply::is_between_two(packet, datagram.source)
    {
        return false;
    }
    let (network, transport) = (datagram.network as u64, datagram.transport as u64);
    let sent = if datagram.source.as_v4().is_some() {
        answer_over_ipv4(packet.context(), network, transport)
    } else {
        answer_over_ipv6(packet.context(), network, transport)
    };
    if sent == 0 {
        return false;
    }
    if let Some(counters) = maps::counters() {
        counters.cookie(slot);
    }
    true
}

/// Global, so that the verifier looks at it once. It answers with one when the SYN-ACK may be sent.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn answer_over_ipv4(ctx: *mut xdp_md, network: u64, transport: u64) -> u64 {
    let packet = Packet::of(&XdpContext::new(ctx));
    // Behind two tags the network header is at 22.
    let network = network as usize & 31;
    let mut syn = Syn::NONE;
    let mut tuple = [0; TUPLE_IPV4];
    let sent = syn.read(packet, transport as usize).and_then(|()| {
        let addresses = packet.window::<8>(network + 12)?;
        tuple[0] = addresses.u32(0).to_be();
        tuple[1] = addresses.u32(4).to_be();
        tuple[2] = syn.header[0];
        let cookie = syn.cookie::<IPV4, TUPLE_IPV4>(packet, network, &mut tuple)?;
        cookie
            .segment(&syn, ETHERNET_MTU - IPV4 - TCP)
            .over_ipv4::<TCP_WITH_MSS>(packet, network)
    });
    sent.is_some().into()
}

/// As [`answer_over_ipv4`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn answer_over_ipv6(ctx: *mut xdp_md, network: u64, transport: u64) -> u64 {
    let packet = Packet::of(&XdpContext::new(ctx));
    let network = network as usize & 31;
    let mut syn = Syn::NONE;
    let mut tuple = [0; TUPLE_IPV6];
    let sent = syn.read(packet, transport as usize).and_then(|()| {
        let addresses = packet.window::<32>(network + 8)?;
        for word in 0..8 {
            tuple[word] = addresses.u32(word * 4).to_be();
        }
        tuple[8] = syn.header[0];
        let cookie = syn.cookie::<IPV6, TUPLE_IPV6>(packet, network, &mut tuple)?;
        cookie
            .segment(&syn, ETHERNET_MTU - IPV6 - TCP)
            .over_ipv6::<TCP_WITH_MSS>(packet, network)
    });
    sent.is_some().into()
}

/// Words of `struct bpf_sock_tuple`: both addresses, and the ports in one.
const TUPLE_IPV4: usize = 3;
const TUPLE_IPV6: usize = 9;

/// Bytes of an IP packet that every client's link takes that has said it takes more.
const ETHERNET_MTU: usize = 1500;

/// Twenty segments over Ethernet: less than a listener has room for, more than a client sends before its first
/// acknowledgement tells it how much that is.
const WINDOW: u16 = 29_200;

/// The words of the longest TCP header.
const WORDS: usize = 15;

/// A SYN's header in network byte order, where the verifier lets the kernel read a length that it does not know.
struct Syn {
    header: [u32; WORDS],
    /// Of `header`, in bytes.
    length: u32,
}

impl Syn {
    const NONE: Self = Self {
        header: [0; WORDS],
        length: 0,
    };

    /// In its place, for the stack has no room for two of them.
    #[inline(always)]
    fn read(&mut self, packet: Packet, transport: usize) -> Option<()> {
        if transport > LAST_TRANSPORT {
            return None;
        }
        let words = usize::from(packet.window::<TCP>(transport)?.u8(12) >> 4);
        if words < TCP / 4 {
            return None;
        }
        // Every header has these. Were they asked for as the others are, Linux 6.1 would verify headers of no word at
        // all, too, and refuse them.
        for word in 0..TCP / 4 {
            self.header[word] = word_of(packet, transport, word)?;
        }
        for word in TCP / 4..WORDS {
            if word >= words {
                break;
            }
            self.header[word] = word_of(packet, transport, word)?;
        }
        self.length = words as u32 * 4;
        Some(())
    }

    /// The cookie for a connection of this tuple, from the socket that listens for it.
    #[inline(always)]
    fn cookie<const HEADER: usize, const TUPLE: usize>(
        &self,
        packet: Packet,
        network: usize,
        tuple: &mut [u32; TUPLE],
    ) -> Option<Cookie> {
        let header = packet.writable::<HEADER>(network)?.start();
        let size = size_of_val(tuple) as u32;
        let tuple = tuple.as_mut_ptr().cast::<bpf_sock_tuple>();
        let netns = i64::from(BPF_F_CURRENT_NETNS) as u64;
        // SAFETY: the context is the one that the program was called with, and the tuple of this size.
        let socket = unsafe { bpf_skc_lookup_tcp(packet.context().cast(), tuple, size, netns, 0) };
        if socket.is_null() {
            return None;
        }
        let syn = self.header.as_ptr().cast_mut().cast();
        // SAFETY: the socket is held, `HEADER` bytes of the packet were checked, and a SYN's header is at most
        // all of `header`. The kernel writes to none of them.
        let answer = unsafe {
            bpf_tcp_gen_syncookie(
                socket.cast(),
                header.cast(),
                HEADER as u32,
                syn,
                self.length,
            )
        };
        // SAFETY: the socket is held, and is not used after this.
        unsafe { bpf_sk_release(socket.cast()) };
        (answer >= 0).then_some(Cookie(answer as u64))
    }
}

/// A word of a header, in network byte order.
#[inline(always)]
fn word_of(packet: Packet, header: usize, word: usize) -> Option<u32> {
    let found = packet.window::<4>(header + word * 4)?;
    Some(found.u32(0).to_be())
}

/// What the kernel says: the cookie, and above it the largest segment that it has remembered in it.
struct Cookie(u64);

impl Cookie {
    /// The SYN-ACK, which offers segments as the client does, but no larger ones.
    #[inline(always)]
    fn segment(&self, syn: &Syn, largest: usize) -> Segment {
        let ports = u32::from_be(syn.header[0]);
        let mss = (self.0 >> 32) as u16;
        Segment {
            from_port: ports as u16,
            to_port: (ports >> 16) as u16,
            sequence: self.0 as u32,
            acknowledgement: u32::from_be(syn.header[1]).wrapping_add(1),
            flags: SYN | ACK,
            window: WINDOW,
            mss: mss.min(largest as u16),
        }
    }
}
