//! Why a packet passed or was dropped: each has a counter.

/// How many reasons there are.
pub const REASONS: usize = 11;

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
    /// Its source is on the allow list.
    Allowed = 3,
    /// It cannot be parsed, and the rules let that pass.
    MalformedPassed = 4,
    /// It would have been dropped or counted, but the process has been gone for longer than it may be.
    LeaseExpired = 5,
    /// Its source is on the deny list.
    Denied = 6,
    /// Its source is blocked from the listeners' ports, and it goes to one.
    Blocked = 7,
    /// Its source is blocked from the whole host.
    BlockedHost = 8,
    /// A limit refused it.
    Limited = 9,
    /// It cannot be parsed.
    Malformed = 10,
}

impl Reason {
    pub const ALL: [Self; REASONS] = [
        Self::Passed,
        Self::NotIp,
        Self::NeighbourDiscovery,
        Self::Allowed,
        Self::MalformedPassed,
        Self::LeaseExpired,
        Self::Denied,
        Self::Blocked,
        Self::BlockedHost,
        Self::Limited,
        Self::Malformed,
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
            Self::Allowed => "allowed",
            Self::MalformedPassed => "malformed-passed",
            Self::LeaseExpired => "lease-expired",
            Self::Denied => "denied",
            Self::Blocked => "blocked",
            Self::BlockedHost => "blocked-host",
            Self::Limited => "limited",
            Self::Malformed => "malformed",
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
            "malformed"
        ]));
    }
}
