//! What the program is to do: one generation's rules, as the configuration means them.

use floodwall_limiter::{Nanos, Prefixes, Quota};
use ipnet::IpNet;

use crate::PacketLimit;

/// The rules of one generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub generation: u64,
    /// How many leading bits of an address make a source.
    pub prefixes: Prefixes,
    /// A block with listeners' scope drops what goes to these ports, over TCP, UDP and SCTP.
    pub listener_ports: Vec<u16>,
    /// Sources that always pass, whatever else is said of them.
    pub allow: Vec<IpNet>,
    /// Sources that are dropped unless they are allowed.
    pub deny: Vec<IpNet>,
    /// At most sixteen; every limit that matches a packet must admit it.
    pub limits: Vec<PacketLimit>,
    /// What cannot be parsed.
    pub malformed: Action,
    /// Fragments, the first of a packet as well as the later ones.
    pub fragments: Action,
    pub checks: Checks,
    pub block_action: BlockAction,
    /// How far the timer's last tick may be behind the present, see [`crate::lag`]: limits with room for it go by the
    /// tick. Zero has all of them exact.
    pub lag: Nanos,
    /// How many dropped packets are shown as samples; none without a quota.
    pub sample: Option<Quota>,
}

impl Rules {
    /// Rules of a generation that let everything pass but what is malformed or bogus.
    pub fn new(generation: u64) -> Self {
        Self {
            generation,
            prefixes: Prefixes::default(),
            listener_ports: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            limits: Vec::new(),
            malformed: Action::Drop,
            fragments: Action::Pass,
            checks: Checks::default(),
            block_action: BlockAction::Drop,
            lag: Nanos::ZERO,
            sample: None,
        }
    }
}

/// What a kind of packet gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is judged further as if it were none of its kind.
    Pass,
    Drop,
}

/// What happens to packets that nobody sends in good faith. They are dropped unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// TCP flags that contradict each other: none at all, SYN with FIN or RST, FIN without ACK, which is a Xmas packet too.
    pub tcp_flags: Action,
    /// The source address is the destination address, elsewhere than on the loopback interface.
    pub land: Action,
    /// Addresses that no packet from a network may carry: a source that is unspecified, loopback, multicast,
    /// broadcast or IPv4-mapped, or a loopback destination. The loopback interface may see its own.
    pub martians: Action,
    /// Lengths that contradict each other: of the frame, IP, the fragment, and the TCP or UDP header.
    pub lengths: Action,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            tcp_flags: Action::Drop,
            land: Action::Drop,
            martians: Action::Drop,
            lengths: Action::Drop,
        }
    }
}

/// What a packet of a blocked source gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockAction {
    Drop,
    /// TCP is answered with a reset, within the quota, so that a client's connection fails at once; the rest
    /// is dropped.
    Reset(Quota),
}

impl BlockAction {
    /// Resets at a rate that is of no use to who spoofs sources: a thousand a second.
    pub const RESET: Self = Self::Reset(Quota::new(1000, Nanos::SECOND, 1000));
}
