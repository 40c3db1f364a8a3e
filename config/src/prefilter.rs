//! `prefilter`: what the kernel drops before the host's stack sees it.

mod blocks;
mod checks;

pub use blocks::{BlockAction, BlockBudget};
pub use checks::Checks;

use std::path::Path;

use floodwall_limiter::Nanos;
use ipnet::IpNet;

use crate::net_list;
use crate::packet_limit::SECTION as LIMIT;
use crate::read::{Cursor, Fields, choice, count, counted, flag, span, text, unique_list};
use crate::section::{ANY, COUNT, DURATION, Key, ONE, RATE, Section, Shape};
use crate::{PacketLimit, Rate};

/// The packet filter on the host's interfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefilter {
    /// At least one, each once.
    pub interfaces: Vec<String>,
    pub mode: XdpMode,
    /// Floodwall does not start when the filter cannot be attached.
    pub required: bool,
    /// Somebody else's program on an interface is taken off, instead of being left there.
    pub replace: bool,
    /// Sources that always pass; looked up before `deny`.
    pub allow: Vec<IpNet>,
    pub deny: Vec<IpNet>,
    /// At most [`Prefilter::MAX_LIMITS`]; all that match a packet must admit it.
    pub limits: Vec<PacketLimit>,
    /// What a packet gets that cannot be parsed.
    pub malformed: Policy,
    /// What IP fragments get, the first of a packet included. Those that hide a transport header are malformed.
    pub fragments: Policy,
    pub checks: Checks,
    pub blocks: BlockBudget,
    /// How many drops are shown, one by one; none when the rate is 0.
    pub sample: Rate,
    /// How many sources the flow table can track, 1024 to 1,000,000,000, 16 bytes each. The file's `table.sources`.
    pub table_sources: u64,
    /// How long the kernel filters on without a process.
    pub outlive: Nanos,
    /// What is pinned carries this name: `[a-z0-9_-]`, 1 to 32 of them.
    pub instance: String,
}

impl Prefilter {
    /// The number of packet limits that the program has room for.
    pub const MAX_LIMITS: usize = 16;

    /// How many sources the flow table can track when nothing is said: 16 MiB of it.
    pub const DEFAULT_SOURCES: u64 = 1_000_000;
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver, or else in the stack.
    Auto,
    /// In the driver only.
    Native,
    /// In the stack, which every interface can.
    Generic,
    /// Not at all; blocks are enforced at accept.
    Off,
}

/// What becomes of packets of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Drop,
    /// Nothing: the next rule is asked.
    Pass,
}

pub(crate) static SECTION: Section = Section {
    name: "prefilter",
    keys: &[
        Key::required(
            "interfaces",
            Shape::List(&Shape::Text("[^/\\s]{1,15}"), ONE),
            "where packets come in",
        ),
        Key::new(
            "mode",
            Shape::Choice(MODES),
            "how the program is attached; default auto",
        ),
        Key::new(
            "replace",
            Shape::Flag,
            "take another XDP program off an interface; default false",
        ),
        Key::new(
            "required",
            Shape::Flag,
            "do not start without it; default false",
        ),
        Key::new(
            "allow",
            Shape::List(&net_list::ITEM, ANY),
            "sources that always pass; networks, or files of them",
        ),
        Key::new(
            "deny",
            Shape::List(&net_list::ITEM, ANY),
            "sources that never do; networks, or files of them",
        ),
        Key::new(
            "limits",
            Shape::Named(&LIMIT, ANY),
            "budgets for packets, at most 16",
        ),
        Key::new(
            "malformed",
            Shape::Choice(POLICIES),
            "what cannot be parsed; default drop",
        ),
        Key::new(
            "fragments",
            Shape::Choice(POLICIES),
            "IP fragments; default pass",
        ),
        Key::new(
            "checks",
            Shape::Section(&checks::SECTION),
            "packets that no sound host sends",
        ),
        Key::new(
            "blocks",
            Shape::Section(&blocks::SECTION),
            "what a blocked source gets, and how many may be blocked",
        ),
        Key::new(
            "sample",
            RATE,
            "how many drops are shown in the log and in status; 0/s for none, default 10/s",
        ),
        Key::new("table", Shape::Section(&TABLE), "the flow table"),
        Key::new(
            "outlive",
            DURATION,
            "how long the kernel filters on without a process; at least 1s, default 10m",
        ),
        Key::new(
            "instance",
            Shape::Text("[a-z0-9_-]{1,32}"),
            "a name for what is pinned; default floodwall",
        ),
    ],
    one_of: &[],
};

static TABLE: Section = Section {
    name: "prefilter.table",
    keys: &[Key::new(
        "sources",
        COUNT,
        "how many can be tracked, 16 bytes each; 1024 to 1000M, default 1M",
    )],
    one_of: &[],
};

const MODES: &[&str] = &["auto", "native", "generic", "off"];
const POLICIES: &[&str] = &["drop", "pass"];

/// How many drops are shown when nothing is said.
const SAMPLE: &str = "10/s";

impl Prefilter {
    pub(crate) fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let interfaces = fields.required("interfaces", interfaces);
        let modes = choice(
            MODES,
            &[
                XdpMode::Auto,
                XdpMode::Native,
                XdpMode::Generic,
                XdpMode::Off,
            ],
        );
        let mode = fields.or("mode", modes, XdpMode::Auto);
        let required = fields.or("required", flag, false);
        let replace = fields.or("replace", flag, false);
        let nets = |list: Cursor<'_>| net_list::list(list, folder);
        let allow = fields.or("allow", nets, Vec::new());
        let deny = fields.or("deny", nets, Vec::new());
        let limits = fields.or("limits", limits, Vec::new());
        let malformed = fields.or("malformed", Policy::read, Policy::Drop);
        let fragments = fields.or("fragments", Policy::read, Policy::Pass);
        let checks = fields.or("checks", Checks::read, Checks::default());
        let blocks = fields.or("blocks", BlockBudget::read, BlockBudget::default());
        let sample = fields.or("sample", Rate::read_alone, Rate::of(SAMPLE));
        let table_sources = fields.or("table", table_sources, Prefilter::DEFAULT_SOURCES);
        let outlive = fields.or("outlive", span(Nanos::SECOND), Nanos::from_secs(600));
        let instance = fields.or("instance", instance, "floodwall".into());
        let (mode, required) = (mode?, required?);
        if required && mode == XdpMode::Off {
            return fields.refuse(
                "required",
                "true beside `mode: off`",
                "false, or another mode",
            );
        }
        Some(Self {
            interfaces: interfaces?,
            mode,
            required,
            replace: replace?,
            allow: allow?,
            deny: deny?,
            limits: limits?,
            malformed: malformed?,
            fragments: fragments?,
            checks: checks?,
            blocks: blocks?,
            sample: sample?,
            table_sources: table_sources?,
            outlive: outlive?,
            instance: instance?,
        })
    }
}

impl Policy {
    fn read(value: Cursor<'_>) -> Option<Self> {
        choice(POLICIES, &[Self::Drop, Self::Pass])(value)
    }
}

fn interfaces(list: Cursor<'_>) -> Option<Vec<String>> {
    counted(
        list,
        unique_list(list, "interface", interface)?,
        1,
        usize::MAX,
    )
}

/// Reads a name that the kernel takes for an interface: 1 to 15 bytes.
fn interface(value: Cursor<'_>) -> Option<String> {
    let name = text(value)?;
    let odd = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    if name.len() > 15 || name.contains(odd) || matches!(name, "." | "..") {
        return value.refuse("an interface name of at most 15 bytes");
    }
    Some(name.into())
}

fn limits(map: Cursor<'_>) -> Option<Vec<PacketLimit>> {
    counted(map, map.pairs(PacketLimit::read)?, 0, Prefilter::MAX_LIMITS)
}

fn table_sources(value: Cursor<'_>) -> Option<u64> {
    let fields = Fields::open(value, &TABLE)?;
    fields.or(
        "sources",
        count(1_024, 1_000_000_000),
        Prefilter::DEFAULT_SOURCES,
    )
}

fn instance(value: Cursor<'_>) -> Option<String> {
    let name = text(value)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.len() > 32 || !name.chars().all(plain) {
        return value.refuse("1 to 32 of a-z, 0-9, _ and -");
    }
    Some(name.into())
}
