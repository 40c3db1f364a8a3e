//! `prefilter.limits.NAME.exceptions`: sources with a budget of their own.

use std::collections::HashSet;

use ipnet::IpNet;

use super::Per;
use crate::Allowance;
use crate::net::net_of;
use crate::read::{Cursor, Fields};
use crate::section::{COUNT, Key, SIZE, Section, Shape};

/// A network whose packets have a budget of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketException {
    pub net: IpNet,
    pub allowance: Allowance,
}

pub(super) const SHAPE: Shape = Shape::Either(&[
    Shape::Choice(&["unlimited"]),
    super::PACKET_RATE,
    Shape::Section(&EXCEPTION_RATE),
]);

static EXCEPTION_RATE: Section = Section {
    name: "prefilter.limits.NAME.exceptions.CIDR",
    keys: &[
        Key::required("rate", super::PACKET_RATE, "as the limit's own"),
        Key::new("burst", Shape::Either(&[COUNT, SIZE]), "as the limit's own"),
    ],
    one_of: &[],
};

impl PacketException {
    /// Whether the limit does not count these packets at all.
    pub fn is_unlimited(&self) -> bool {
        self.allowance == Allowance::Unlimited
    }
}

/// Reads the exceptions of a limit that counts in `per`.
pub(super) fn read_all(map: Cursor<'_>, per: Per) -> Option<Vec<PacketException>> {
    let mut seen = HashSet::new();
    map.pairs(|name, value| {
        let net = net_of(name, value);
        let allowance = allowance(value, per);
        let exception = PacketException {
            net: net?,
            allowance: allowance?,
        };
        if !seen.insert(exception.net) {
            return value.refuse_as(format!("`{name}` again, written otherwise"), "each once");
        }
        Some(exception)
    })
}

fn allowance(value: Cursor<'_>, per: Per) -> Option<Allowance> {
    if value.written() == Some("unlimited") {
        return Some(Allowance::Unlimited);
    }
    if value.is_map() {
        let fields = Fields::open(value, &EXCEPTION_RATE)?;
        return per.rate(&fields).map(Allowance::Rate);
    }
    per.rate_alone(value).map(Allowance::Rate)
}
