//! ICMP message types, by name or by number.

use crate::read::Cursor;
use crate::section::Shape;
use crate::yaml::ScalarKind;

/// A type of ICMP messages: its number in each IP version that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IcmpType {
    /// IANA, "ICMP Type Numbers".
    pub v4: Option<u8>,
    /// IANA, "`ICMPv6` type Numbers".
    pub v6: Option<u8>,
}

/// The names, which mean the same in both versions where both have it.
///
/// Neighbour discovery and what tells the path's MTU are not here: the program lets them pass uncounted.
const NAMED: &[(&str, IcmpType)] = &[
    ("echo-request", IcmpType::of(8, 128)),
    ("echo-reply", IcmpType::of(0, 129)),
    ("unreachable", IcmpType::of(3, 1)),
    ("time-exceeded", IcmpType::of(11, 3)),
    ("parameter-problem", IcmpType::of(12, 4)),
    ("timestamp-request", IcmpType::v4_only(13)),
    ("timestamp-reply", IcmpType::v4_only(14)),
];

pub(super) const SHAPE: Shape = Shape::Either(&[
    Shape::Choice(&[
        "echo-request",
        "echo-reply",
        "unreachable",
        "time-exceeded",
        "parameter-problem",
        "timestamp-request",
        "timestamp-reply",
    ]),
    Shape::Whole { min: 0, max: 255 },
]);

const ALLOWED: &str = "echo-request, echo-reply, unreachable, time-exceeded, parameter-problem, timestamp-request, timestamp-reply, or a number from 0 to 255";

impl IcmpType {
    const fn of(v4: u8, v6: u8) -> Self {
        Self {
            v4: Some(v4),
            v6: Some(v6),
        }
    }

    const fn v4_only(v4: u8) -> Self {
        Self {
            v4: Some(v4),
            v6: None,
        }
    }

    /// Reads a type; a number is taken as it is in both versions.
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let found = match value.kind() {
            Some(ScalarKind::Integer(number)) => {
                u8::try_from(number).ok().map(|kind| Self::of(kind, kind))
            }
            Some(ScalarKind::Text) => value.written().and_then(Self::of_name),
            _ => None,
        };
        found.or_else(|| value.refuse(ALLOWED))
    }

    fn of_name(name: &str) -> Option<Self> {
        let named = NAMED.iter().find(|(known, _)| *known == name)?;
        Some(named.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_every_name() {
        let Shape::Either([Shape::Choice(words), _]) = SHAPE else {
            panic!("a word or a number");
        };
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        assert_eq!(*words, names);
        for name in names {
            assert!(ALLOWED.contains(name), "{name}");
        }
    }
}
