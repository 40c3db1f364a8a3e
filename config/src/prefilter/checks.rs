//! `prefilter.checks`: packets that are well formed, and that no sound host sends.

use super::{POLICIES, Policy};
use crate::read::{Cursor, Fields};
use crate::section::{Key, Section, Shape};

/// What becomes of packets that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// TCP flags that no sound host sends: SYN with FIN or RST, FIN without ACK, and none of SYN, RST and ACK, as in null
    /// and Xmas scans.
    pub tcp_flags: Policy,
    /// The same address at both ends.
    pub land: Policy,
    /// Sources that nobody can have: loopback, multicast, broadcast, unspecified.
    pub martians: Policy,
    /// Headers that claim another length than the packet has.
    pub lengths: Policy,
}

pub(super) static SECTION: Section = Section {
    name: "prefilter.checks",
    keys: &[
        Key::new(
            "tcp_flags",
            Shape::Choice(POLICIES),
            "TCP flags that no sound host sends; default drop",
        ),
        Key::new(
            "land",
            Shape::Choice(POLICIES),
            "the same address at both ends; default drop",
        ),
        Key::new(
            "martians",
            Shape::Choice(POLICIES),
            "sources that nobody can have; default drop",
        ),
        Key::new(
            "lengths",
            Shape::Choice(POLICIES),
            "headers that claim another length than the packet has; default drop",
        ),
    ],
    one_of: &[],
};

impl Default for Checks {
    fn default() -> Self {
        Self {
            tcp_flags: Policy::Drop,
            land: Policy::Drop,
            martians: Policy::Drop,
            lengths: Policy::Drop,
        }
    }
}

impl Checks {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let [tcp_flags, land, martians, lengths] = ["tcp_flags", "land", "martians", "lengths"]
            .map(|key| fields.or(key, Policy::read, Policy::Drop));
        Some(Self {
            tcp_flags: tcp_flags?,
            land: land?,
            martians: martians?,
            lengths: lengths?,
        })
    }
}
