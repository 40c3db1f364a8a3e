//! Why a packet passed or was dropped: each has a counter.

/// How many reasons there are.
pub const REASONS: usize = 18;

/// What decided over a packet. Every packet is counted under exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// Nothing was against it.
    Passed = 0,
    /// It is no IP packet: ARP, LLDP and the like.
    NotIp = 1,
    /// IPv6 neighbour discovery, without which the host would lose its neighbours.
    NeighbourDiscovery = 2,
    /// Without it the host would lose its address, its groups or large packets, so that no limit takes it
    /// which does not name it: a path MTU message, an answer of DHCP, a multicast listener message. So many path
    /// MTU messages a second pass whatever the rules say.
    Essential = 3,
    /// Its source is on the allow list.
    Allowed = 4,
    /// It cannot be parsed, and the rules let that pass.
    MalformedPassed = 5,
    /// It would have been dropped or counted, but the process has been gone for longer than it may be.
    LeaseExpired = 6,
    /// A limit refused it, and it was answered with a SYN cookie: the host has neither seen it nor is anybody
    /// without an answer, so that it counts neither as passed nor as dropped.
    Cookie = 7,
    /// Its source is on the deny list.
    Denied = 8,
    /// Its source is blocked from the listeners' ports, and it goes to one.
    Blocked = 9,
    /// Its source is blocked from the whole host.
    BlockedHost = 10,
    /// A limit refused it.
    Limited = 11,
    /// It cannot be parsed.
    Malformed = 12,
    /// Its lengths contradict each other.
    BadLength = 13,
    /// No good TCP sends these flags together.
    TcpFlags = 14,
    /// It claims to come from the address it goes to.
    Land = 15,
    /// It has an address that no packet from a network may have.
    Martian = 16,
    /// It is a fragment, and the rules have none.
    Fragment = 17,
}

impl Reason {
    pub const ALL: [Self; REASONS] = [
        Self::Passed,
        Self::NotIp,
        Self::NeighbourDiscovery,
        Self::Essential,
        Self::Allowed,
        Self::MalformedPassed,
        Self::LeaseExpired,
        Self::Cookie,
        Self::Denied,
        Self::Blocked,
        Self::BlockedHost,
        Self::Limited,
        Self::Malformed,
        Self::BadLength,
        Self::TcpFlags,
        Self::Land,
        Self::Martian,
        Self::Fragment,
    ];

    /// Whether a packet of this reason is dropped.
    #[inline(always)]
    pub const fn drops(self) -> bool {
        self as u32 >= Self::Denied as u32
    }

    /// The reason's name in status and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NotIp => "not-ip",
            Self::NeighbourDiscovery => "neighbour-discovery",
            Self::Essential => "essential",
            Self::Allowed => "allowed",
            Self::MalformedPassed => "malformed-passed",
            Self::LeaseExpired => "lease-expired",
            Self::Cookie => "cookie",
            Self::Denied => "denied",
            Self::Blocked => "blocked",
            Self::BlockedHost => "blocked-host",
            Self::Limited => "limited",
            Self::Malformed => "malformed",
            Self::BadLength => "bad-length",
            Self::TcpFlags => "tcp-flags",
            Self::Land => "land",
            Self::Martian => "martian",
            Self::Fragment => "fragment",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_in_the_order_of_their_counters() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.name());
        }
    }

    #[test]
    fn what_is_dropped_comes_last() {
        let dropped = Reason::ALL.into_iter().filter(|reason| reason.drops());
        assert!(dropped.map(Reason::name).eq([
            "denied",
            "blocked",
            "blocked-host",
            "limited",
            "malformed",
            "bad-length",
            "tcp-flags",
            "land",
            "martian",
            "fragment"
        ]));
    }
}
