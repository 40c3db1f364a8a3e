//! `limits.NAME`: budgets for requests.

use std::collections::HashSet;

use floodwall_limiter::Nanos;
use ipnet::IpNet;

use crate::net::{net_of, parse_net};
use crate::rate::{BURST_KEY, RATE_KEY};
use crate::read::{self, Cursor, Fields, SHORTEST, choice, flag, span, whole_u32};
use crate::section::{DURATION, Key, RATE, Section, Shape};
use crate::units::format_duration;
use crate::{KeyPart, Match, Rate, Response};
use crate::{key, matching, response};

/// A budget for each key.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub name: String,
    /// The parts of the key, each once; empty for `key: none`.
    pub key: Vec<KeyPart>,
    pub rate: Rate,
    /// Keys with a budget of their own. Of several networks the longest prefix counts, and a value counts
    /// before a network.
    pub exceptions: Vec<Exception>,
    /// Only these requests are counted; all when absent.
    pub matches: Option<Match>,
    pub absent: Absent,
    /// Counts and reports, but never refuses.
    pub shadow: bool,
    pub reject: Response,
    /// Only when the key has [`KeyPart::Client`].
    pub block: Option<Escalation>,
}

/// What becomes of a request that lacks a part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is counted under one key that all such requests share.
    Shared,
    /// The limit does not count it.
    Skip,
}

/// A key with a budget of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub of: Excepted,
    pub allowance: Allowance,
}

/// Whom an exception means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Excepted {
    /// Requests of which some part of the key, other than the client, is this.
    Value(String),
    /// Clients whose whole address is in this network. Only when the key has [`KeyPart::Client`].
    Net(IpNet),
}

/// What an exception allows instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    Unlimited,
    Rate(Rate),
}

/// When refusals become a block in the kernel, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// So many refusals within `within` block the client, 1 to 32,767.
    pub after: u32,
    pub within: Nanos,
    /// The first block's length, the file's `for`; each repeat doubles it.
    pub duration: Nanos,
    /// No block is longer; at least `duration`.
    pub max: Nanos,
    pub scope: BlockScope,
}

/// What a block drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockScope {
    /// What the source sends to the listeners' ports.
    Listeners,
    /// Everything from the source.
    Host,
}

pub(crate) static SECTION: Section = Section {
    name: "limits.NAME",
    keys: &[
        Key::required(
            "key",
            key::KEY,
            "what is counted by, such as client or [client, path]",
        ),
        RATE_KEY,
        BURST_KEY,
        Key::new(
            "exceptions",
            Shape::Pairs(&EXCEPTION),
            "VALUE or CIDR to a rate or unlimited",
        ),
        Key::new(
            "match",
            Shape::Section(&matching::SECTION),
            "only these requests; all by default",
        ),
        Key::new(
            "absent",
            Shape::Choice(ABSENT),
            "what a request without the key is; default shared",
        ),
        Key::new(
            "shadow",
            Shape::Flag,
            "counts but never refuses; default false",
        ),
        Key::new(
            "reject",
            Shape::Section(&response::SECTION),
            "what a refusal looks like",
        ),
        Key::new(
            "block",
            Shape::Section(&BLOCK),
            "when refusals become a block in the kernel",
        ),
    ],
    one_of: &[],
};

const EXCEPTION: Shape = Shape::Either(&[
    Shape::Choice(&["unlimited"]),
    RATE,
    Shape::Section(&EXCEPTION_RATE),
]);

static EXCEPTION_RATE: Section = Section {
    name: "limits.NAME.exceptions.VALUE",
    keys: &[RATE_KEY, BURST_KEY],
    one_of: &[],
};

static BLOCK: Section = Section {
    name: "limits.NAME.block",
    keys: &[
        Key::required(
            "after",
            Shape::Whole {
                min: 1,
                max: MOST_REFUSALS,
            },
            "so many refusals, 1 to 32767",
        ),
        Key::required("within", DURATION, "within this time, such as 10s"),
        Key::required("for", DURATION, "the first block's length, such as 5s"),
        Key::new(
            "max",
            DURATION,
            "the longest block; default 1h, or `for` if that is longer",
        ),
        Key::new(
            "scope",
            Shape::Choice(SCOPES),
            "what is dropped; default listeners",
        ),
    ],
    one_of: &[],
};

const ABSENT: &[&str] = &["shared", "skip"];
const SCOPES: &[&str] = &["listeners", "host"];

/// What the flow table's refusal count holds.
const MOST_REFUSALS: u64 = 32_767;

impl Limit {
    pub(crate) fn read(name: &str, value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let name = read::name(name, value);
        let key = fields.required("key", KeyPart::read_all);
        let rate = Rate::read(&fields);
        let exceptions = fields.or(
            "exceptions",
            |map| exceptions(map, key.as_deref()),
            Vec::new(),
        );
        let matches = fields.optional("match", Match::read);
        let absent = fields.or(
            "absent",
            choice(ABSENT, &[Absent::Shared, Absent::Skip]),
            Absent::Shared,
        );
        let shadow = fields.or("shadow", flag, false);
        let reject = fields.or("reject", Response::read(429), Response::too_many_requests());
        let block = fields.optional("block", Escalation::read);
        let key = key?;
        let fits = check_key(&fields, &key);
        let limit = Self {
            name: name?,
            key,
            rate: rate?,
            exceptions: exceptions?,
            matches: matches?,
            absent: absent?,
            shadow: shadow?,
            reject: reject?,
            block: block?,
        };
        fits.then_some(limit)
    }
}

/// Reports keys that mean nothing with the limit's key.
fn check_key(fields: &Fields<'_>, key: &[KeyPart]) -> bool {
    let mut fits = true;
    if fields.has("block") && !key.contains(&KeyPart::Client) {
        let found = "a block on a key without `client`: refusals would not say whom to block";
        fields.refuse::<()>("block", found, "only when `key` has client");
        fits = false;
    }
    if fields.has("absent") && !key.iter().any(KeyPart::may_be_absent) {
        let found = "it on a key that every request has";
        fields.refuse::<()>(
            "absent",
            found,
            "only when `key` has a header, cookie or query",
        );
        fits = false;
    }
    fits
}

/// Reads exceptions for a limit by `key`; without a key only what stands in them is checked.
fn exceptions(map: Cursor<'_>, key: Option<&[KeyPart]>) -> Option<Vec<Exception>> {
    let mut seen = HashSet::new();
    map.pairs(|name, value| {
        let of = Excepted::of(name, key?, value);
        let allowance = Allowance::read(value);
        let exception = Exception {
            of: of?,
            allowance: allowance?,
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
            (true, true) if parse_net(name).is_none() => Some(Self::Value(name.into())),
            (true, _) => net_of(name, value).map(Self::Net),
            (false, true) => Some(Self::Value(name.into())),
        }
    }
}

impl Allowance {
    fn read(value: Cursor<'_>) -> Option<Self> {
        if value.written() == Some("unlimited") {
            return Some(Self::Unlimited);
        }
        if value.is_map() {
            return Rate::read(&Fields::open(value, &EXCEPTION_RATE)?).map(Self::Rate);
        }
        Rate::read_alone(value).map(Self::Rate)
    }
}

impl Escalation {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &BLOCK)?;
        let after = fields.required("after", whole_u32(1, MOST_REFUSALS));
        let within = fields.required("within", span(SHORTEST));
        let duration = fields.required("for", span(SHORTEST));
        let max = fields.optional("max", span(SHORTEST));
        let scopes = choice(SCOPES, &[BlockScope::Listeners, BlockScope::Host]);
        let scope = fields.or("scope", scopes, BlockScope::Listeners);
        let duration = duration?;
        let max = max?.unwrap_or(duration.max(Nanos::from_secs(3_600)));
        if max < duration {
            let found = format!("{}, less than `for`", format_duration(max));
            return fields.refuse(
                "max",
                found,
                format!("at least {}", format_duration(duration)),
            );
        }
        Some(Self {
            after: after?,
            within: within?,
            duration,
            max,
            scope: scope?,
        })
    }
}
