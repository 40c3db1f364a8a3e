//! `limits.NAME.exceptions`: keys with a budget of their own.

use std::collections::HashSet;

use ipnet::IpNet;

use super::grant::{self, Unit};
use crate::net::{net_of, parse_net};
use crate::rate::{BURST_KEY, RATE_KEY};
use crate::read::{Cursor, Fields, whole_u32};
use crate::section::{Section, Shape};
use crate::{KeyPart, Rate};

/// A key with a budget of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub of: Excepted,
    pub allows: Exemption,
}

/// Whom an exception means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Excepted {
    /// Requests of which some part of the key, other than the client, is this.
    Value(String),
    /// Requests of which some part of the key, other than the client, begins with this; the file's `VALUE*`.
    Prefix(String),
    /// Clients whose whole address is in this network. Only when the key has [`KeyPart::Client`].
    Net(IpNet),
}

/// What an exception allows instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exemption {
    Unlimited,
    Rate(Rate),
    /// So many at one time, where the limit is one of concurrency.
    Concurrency(u32),
}

/// What an exception from a rate allows instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    Unlimited,
    Rate(Rate),
}

pub(super) const SHAPE: Shape = Shape::Either(&[
    Shape::Choice(&["unlimited"]),
    grant::RATE,
    Shape::Section(&EXCEPTION_RATE),
    Shape::Whole {
        min: 0,
        max: grant::MOST_CONCURRENT,
    },
]);

static EXCEPTION_RATE: Section = Section {
    name: "limits.NAME.exceptions.VALUE",
    keys: &[RATE_KEY, BURST_KEY],
    one_of: &[],
};

/// Reads exceptions for a limit by `key`; without a key only what stands in them is checked.
pub(super) fn read_all(
    map: Cursor<'_>,
    key: Option<&[KeyPart]>,
    unit: Unit,
) -> Option<Vec<Exception>> {
    let mut seen = HashSet::new();
    map.pairs(|name, value| {
        let of = Excepted::of(name, key?, value);
        let allows = Exemption::read(value, unit);
        let exception = Exception {
            of: of?,
            allows: allows?,
        };
        if !seen.insert(exception.of.clone()) {
            return value.refuse_as(format!("`{name}` again, written otherwise"), "each once");
        }
        Some(exception)
    })
}

impl Excepted {
    /// An address is a client's where the key has one, and a value of some other part where it has not.
    fn of(name: &str, key: &[KeyPart], value: Cursor<'_>) -> Option<Self> {
        let by_client = key.contains(&KeyPart::Client);
        let by_value = key.iter().any(|part| *part != KeyPart::Client);
        match (by_client, by_value) {
            (false, false) => value.refuse_as(
                "an exception to one budget for all",
                "none with `key: none`",
            ),
            (true, true) if parse_net(name).is_none() => Some(Self::value(name)),
            (true, _) => net_of(name, value).map(Self::Net),
            (false, true) => Some(Self::value(name)),
        }
    }

    /// A star at the end makes a prefix; elsewhere it is a star.
    fn value(name: &str) -> Self {
        match name.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.into()),
            None => Self::Value(name.into()),
        }
    }
}

impl Exemption {
    fn read(value: Cursor<'_>, unit: Unit) -> Option<Self> {
        if value.written() == Some("unlimited") {
            return Some(Self::Unlimited);
        }
        let rate = match unit {
            Unit::Concurrent => {
                return whole_u32(0, grant::MOST_CONCURRENT)(value).map(Self::Concurrency);
            }
            Unit::Requests(burst) if value.is_map() => {
                Rate::read_with(&Fields::open(value, &EXCEPTION_RATE)?, burst)
            }
            Unit::Requests(burst) => Rate::read_alone_with(value, burst),
            Unit::Bytes if value.is_map() => {
                Rate::read_body(&Fields::open(value, &EXCEPTION_RATE)?)
            }
            Unit::Bytes => Rate::read_body_alone(value),
        };
        rate.map(Self::Rate)
    }
}
