//! `limits.NAME`: budgets for requests.

mod adapt;
mod count;
mod escalation;
mod exception;
mod grant;
mod related;

pub use adapt::{Adapt, Mark};
pub use count::{Count, Direction, Responses, StatusPattern};
pub use escalation::{BlockScope, Escalation};
pub use exception::{Allowance, Excepted, Exception, Exemption};
pub use grant::{Grant, Queue, RateBudget, WarmUp};
pub(crate) use related::Known;
pub use related::Related;

use crate::read::{self, Cursor, Fields, choice, flag, share};
use crate::section::{self, Key, SHARE, Section, Shape};
use crate::units::Share;
use crate::{HeaderName, KeyPart, Match, Response};
use crate::{key, matching, response};

/// A budget for each key.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub name: String,
    /// The parts of the key, each once; empty for `key: none`.
    pub key: Vec<KeyPart>,
    pub budget: Grant,
    /// Only where each request counts by itself: not beside `related`, `cost`, bytes or responses.
    pub queue: Option<Queue>,
    /// Keys with a budget of their own. A value counts before a prefix, and both before a network; of several
    /// prefixes or networks the longest counts.
    pub exceptions: Vec<Exception>,
    /// Only these requests are counted; all when absent.
    pub matches: Option<Match>,
    /// Only with a rate of requests.
    pub related: Option<Related>,
    pub absent: Absent,
    /// So large a part of the keys is refused; the others only count.
    pub enforce: Share,
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

pub(crate) static SECTION: Section = Section {
    name: "limits.NAME",
    keys: &KEYS,
    one_of: &["rate", "concurrency"],
};

static KEYS: [Key; OWN.len() + grant::KEYS.len()] = section::joined(&OWN, grant::KEYS);

const OWN: [Key; 9] = [
    Key::required(
        "key",
        key::KEY,
        "what is counted by, such as client or [client, path]",
    ),
    Key::new(
        "related",
        Shape::Section(&related::SECTION),
        "another limit or route whose load counts instead",
    ),
    Key::new(
        "exceptions",
        Shape::Pairs(&exception::SHAPE),
        "VALUE, PREFIX* or CIDR to a rate, a concurrency or unlimited",
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
        "enforce",
        SHARE,
        "the part of the keys that is refused; default 100%",
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
        Shape::Section(&escalation::SECTION),
        "when refusals become a block in the kernel",
    ),
];

const ABSENT: &[&str] = &["shared", "skip"];

impl Limit {
    /// The field of the origin's responses that says what a request has cost.
    pub fn cost(&self) -> Option<&HeaderName> {
        match &self.budget {
            Grant::Rate(rate) => rate.cost.as_ref(),
            Grant::Concurrency(_) => None,
        }
    }

    pub(crate) fn read(name: &str, value: Cursor<'_>, known: &Known<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let name = read::name(name, value);
        let key = fields.required("key", KeyPart::read_all);
        let queue = fields.optional("queue", Queue::read);
        let (budget, unit) = Grant::read(&fields, fields.has("queue"));
        let exceptions = fields.or(
            "exceptions",
            |map| exception::read_all(map, key.as_deref(), unit),
            Vec::new(),
        );
        let matches = fields.optional("match", Match::read);
        let own = name.as_deref().unwrap_or_default();
        let related = fields.optional("related", |value| Related::read(value, own, known));
        let absent = fields.or(
            "absent",
            choice(ABSENT, &[Absent::Shared, Absent::Skip]),
            Absent::Shared,
        );
        let enforce = fields.or("enforce", share(Share::NOTHING), Share::WHOLE);
        let shadow = fields.or("shadow", flag, false);
        let reject = fields.or("reject", Response::read(429), Response::too_many_requests());
        let block = fields.optional("block", Escalation::read);
        let key = key?;
        let fits = check_key(&fields, &key) & grant::fits(&fields, budget.as_ref());
        let limit = Self {
            name: name?,
            key,
            budget: budget?,
            queue: queue?,
            exceptions: exceptions?,
            matches: matches?,
            related: related?,
            absent: absent?,
            enforce: enforce?,
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
