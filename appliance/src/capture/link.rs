//! Kinds of links, by the numbers that captures have for them (LINKTYPE_ of tcpdump.org), and the Ethernet frames that
//! their packets would have been.

/// A kind of link that carries IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    /// Nothing before the IP header: tunnels, and what BSD has before it on the loopback, in so many bytes.
    Ip {
        before: usize,
    },
    /// `tcpdump -i any` in its first version, and since libpcap 1.10.
    Cooked,
    Cooked2,
}

/// What [`Link::of`] knows, in words.
pub(super) const ALLOWED: &str =
    "Ethernet (1), raw IP (101), Linux cooked (113 and 276) and BSD loopback (0 and 108)";

const HEADER: usize = 14;
const KIND: usize = 12;

impl Link {
    pub(super) fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            0 | 108 => Self::Ip { before: 4 },
            // Some systems wrote raw IP with their own numbers.
            12 | 14 | 101 | 228 | 229 => Self::Ip { before: 0 },
            113 => Self::Cooked,
            276 => Self::Cooked2,
            _ => return None,
        })
    }

    /// The Ethernet frame that a packet would have been; one that is too short for its link is left as it is.
    pub(super) fn frame(self, packet: Vec<u8>) -> Vec<u8> {
        let (kind, before) = match self {
            Self::Ethernet => return packet,
            Self::Ip { before } => (packet.get(before).copied().map(ethertype), before),
            Self::Cooked => (pair(&packet, 14), 16),
            Self::Cooked2 => (pair(&packet, 0), 20),
        };
        let (Some(kind), Some(rest)) = (kind, packet.get(before..)) else {
            return packet;
        };
        let mut frame = vec![0; HEADER];
        frame[KIND..].copy_from_slice(&kind);
        frame.extend(rest);
        frame
    }
}

/// By the version that an IP header begins with.
fn ethertype(first: u8) -> [u8; 2] {
    match first >> 4 {
        6 => [0x86, 0xdd],
        _ => [0x08, 0x00],
    }
}

fn pair(bytes: &[u8], at: usize) -> Option<[u8; 2]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_becomes_ethernet() {
        let packet = |before: &[u8]| [before, &[0x45, 0, 0, 20]].concat();
        let cooked = [[0; 14].as_slice(), &[8, 0]].concat();
        let cooked2 = [[8, 0].as_slice(), &[0; 18]].concat();
        for (number, before) in [
            (101, [].as_slice()),
            (228, &[]),
            (0, &[2, 0, 0, 0]),
            (108, &[0, 0, 0, 2]),
            (113, &cooked),
            (276, &cooked2),
        ] {
            let frame = Link::of(number).unwrap().frame(packet(before));
            assert_eq!(frame[KIND..], [8, 0, 0x45, 0, 0, 20], "{number}");
            assert_eq!(frame.len(), HEADER + 4);
        }
        let six = Link::Ip { before: 0 }.frame(vec![0x60]);
        assert_eq!(six[KIND..], [0x86, 0xdd, 0x60]);
    }

    #[test]
    fn what_has_no_header_of_its_link_stays_as_it_is() {
        assert_eq!(Link::Ip { before: 4 }.frame(vec![2]), [2]);
        assert_eq!(Link::Cooked.frame(vec![7; 15]), [7; 15]);
        assert_eq!(Link::Ethernet.frame(vec![7]), [7]);
        assert_eq!(Link::of(105), None, "802.11");
    }
}
