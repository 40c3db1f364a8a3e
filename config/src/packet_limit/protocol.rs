//! Protocols above IP, by name or by number.

use std::fmt;

use crate::read::Cursor;
use crate::section::Shape;
use crate::yaml::ScalarKind;

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    /// ICMP of either IP version.
    Icmp,
    Sctp,
    Igmp,
    Gre,
    Esp,
    Ah,
    /// IANA's number of any other; of one IP version's ICMP too.
    Number(u8),
}

/// The names, each with its protocol and IANA's number; ICMP has one for each IP version.
const NAMED: &[(&str, Protocol, Option<u8>)] = &[
    ("tcp", Protocol::Tcp, Some(6)),
    ("udp", Protocol::Udp, Some(17)),
    ("icmp", Protocol::Icmp, None),
    ("sctp", Protocol::Sctp, Some(132)),
    ("igmp", Protocol::Igmp, Some(2)),
    ("gre", Protocol::Gre, Some(47)),
    ("esp", Protocol::Esp, Some(50)),
    ("ah", Protocol::Ah, Some(51)),
];

pub(super) const SHAPE: Shape = Shape::Either(&[
    Shape::Choice(&["tcp", "udp", "icmp", "sctp", "igmp", "gre", "esp", "ah"]),
    Shape::Whole { min: 0, max: 255 },
]);

const ALLOWED: &str = "tcp, udp, icmp, sctp, igmp, gre, esp, ah, or a number from 0 to 255";

impl Protocol {
    /// Whether its packets say which port they are for.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp | Self::Sctp)
    }

    /// Whether it is ICMP of one IP version or of both.
    pub const fn is_icmp(self) -> bool {
        matches!(self, Self::Icmp | Self::Number(1 | 58))
    }

    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let found = match value.kind() {
            Some(ScalarKind::Integer(number)) => u8::try_from(number).ok().map(Self::of_number),
            Some(ScalarKind::Text) => value.written().and_then(Self::of_name),
            _ => None,
        };
        found.or_else(|| value.refuse(ALLOWED))
    }

    fn of_name(name: &str) -> Option<Self> {
        let named = NAMED.iter().find(|(known, ..)| *known == name)?;
        Some(named.1)
    }

    fn of_number(number: u8) -> Self {
        let named = NAMED.iter().find(|(.., known)| *known == Some(number));
        named.map_or(Self::Number(number), |named| named.1)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMED.iter().find(|(_, known, _)| known == self)) {
            (Self::Number(number), _) => write!(f, "protocol {number}"),
            (_, Some((name, ..))) => f.write_str(&name.to_uppercase()),
            (_, None) => write!(f, "{self:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_has_a_name_is_that_protocol() {
        assert_eq!(Protocol::of_number(6), Protocol::Tcp);
        assert_eq!(Protocol::of_number(132), Protocol::Sctp);
        assert_eq!(Protocol::of_number(58), Protocol::Number(58));
        assert_eq!(Protocol::of_number(89), Protocol::Number(89));
    }
}
