//! What a limit or one of its exceptions grants a key, ready to ask.

use floodwall_config as config;
use floodwall_config::{Count, Mark, Rate, units::Share};
use floodwall_limiter::{
    Nanos, Quota,
    shape::{memory_adaptive::MemoryAdaptive, warm_up::WarmUp},
};
use http::HeaderValue;

use crate::pressure::Readings;

/// A grant and its words.
#[derive(Debug)]
pub struct Rule {
    pub of: RuleOf,
    pub grant: Grant,
    /// As the file has it: `50/s`, or `4 at one time`.
    pub text: String,
    /// How much at once: requests, or bytes.
    pub burst: u64,
    /// This rule's item of the `RateLimit-Policy` field; cloning it copies nothing.
    pub policy: HeaderValue,
}

/// Whose rule it is: the limit's own, or that of one of its exceptions, which keeps its number over reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleOf(pub u64);

impl RuleOf {
    pub const LIMIT: Self = Self(0);
}

/// What a key may do.
#[derive(Debug)]
pub enum Grant {
    Rate(Rate),
    WarmUp(WarmUp, Rate),
    /// A rate that follows the memory in use.
    Adapt(Box<Adaptive>, Rate),
    /// So many at one time.
    Concurrency(u32),
}

/// What the memory in use makes of a rate.
#[derive(Debug)]
pub enum Adaptive {
    Bytes(MemoryAdaptive<u64>),
    /// In parts per million of what there is.
    Share(MemoryAdaptive<u32>),
}

impl Adaptive {
    fn new(adapt: &config::Adapt, rate: &Rate) -> Self {
        let (at_low, at_high) = (rate.quota, adapt.rate.quota);
        match (adapt.low, adapt.high) {
            (Mark::Share(low), Mark::Share(high)) => Self::Share(MemoryAdaptive {
                low: low.millionths(),
                high: high.millionths(),
                at_low,
                at_high,
            }),
            (low, high) => Self::Bytes(MemoryAdaptive {
                low: bytes(low),
                high: bytes(high),
                at_low,
                at_high,
            }),
        }
    }

    /// The quota of the moment. Where nobody can say what memory is in use, it is little.
    #[inline(never)]
    fn quota(&self, pressure: &Readings) -> Quota {
        match self {
            Self::Bytes(adaptive) => adaptive.quota(pressure.memory_used().unwrap_or(0)),
            Self::Share(adaptive) => {
                let used = pressure.memory().map_or(0, Share::millionths);
                adaptive.quota(used.into())
            }
        }
    }
}

/// The configuration has both marks of one kind.
fn bytes(mark: Mark) -> u64 {
    match mark {
        Mark::Bytes(bytes) => bytes,
        Mark::Share(_) => 0,
    }
}

impl Rule {
    /// The rule of a limit, or of an exception that has another `rate` of the same shape.
    pub fn of_rate(limit: &config::Limit, of: RuleOf, rate: &Rate) -> Self {
        let budget = match &limit.budget {
            config::Grant::Rate(budget) => Some(&**budget),
            config::Grant::Concurrency(_) => None,
        };
        let unit = match budget.map(|budget| &budget.count) {
            Some(Count::Bytes(_)) => ";qu=\"content-bytes\"",
            _ => "",
        };
        let window = rate.quota.depth().secs_ceil().max(1);
        let policy = format!("{};q={};w={window}{unit}", quoted(&limit.name), rate.burst);
        let grant = if let Some(curve) = budget.and_then(|budget| budget.warm_up) {
            let curve = WarmUp::new(rate.quota, curve.period, curve.cold_factor);
            Grant::WarmUp(curve, rate.clone())
        } else if let Some(budget) = budget
            && let Some(adapt) = &budget.adapt
            && budget.rate == *rate
        {
            Grant::Adapt(Box::new(Adaptive::new(adapt, rate)), rate.clone())
        } else {
            Grant::Rate(rate.clone())
        };
        Self {
            of,
            grant,
            text: rate.text.clone(),
            burst: rate.burst,
            policy: field(policy),
        }
    }

    /// The rule of so many at one time.
    pub fn of_concurrency(limit: &config::Limit, of: RuleOf, most: u32) -> Self {
        let name = quoted(&limit.name);
        Self {
            of,
            grant: Grant::Concurrency(most),
            text: format!("{most} at one time"),
            burst: most.into(),
            policy: field(format!("{name};q={most};qu=\"concurrent-requests\"")),
        }
    }

    /// The rate, as of now. `warmth` reads the key's time word of warm-up.
    #[inline]
    pub fn quota(&self, pressure: &Readings, warmth: impl FnOnce() -> Nanos, now: Nanos) -> Quota {
        match &self.grant {
            Grant::Rate(rate) => rate.quota,
            Grant::WarmUp(curve, _) => curve.quota(warmth(), now),
            Grant::Adapt(adaptive, _) => adaptive.quota(pressure),
            Grant::Concurrency(_) => Quota::CLOSED,
        }
    }

    /// What an admission at `now` makes of the key's other word, where the shape keeps one.
    #[inline]
    pub fn admitted(&self, now: Nanos) -> Option<impl Fn(Nanos) -> Nanos> {
        match &self.grant {
            Grant::WarmUp(curve, _) => Some(move |word| curve.admitted(word, now)),
            _ => None,
        }
    }

    /// What so many units cost at the full rate.
    pub fn price(&self, units: u64) -> Nanos {
        match &self.grant {
            Grant::Rate(rate) | Grant::WarmUp(_, rate) | Grant::Adapt(_, rate) => rate.price(units),
            Grant::Concurrency(_) => Nanos::ZERO,
        }
    }

    /// How many units fit into a span at the full rate, rounded down.
    pub fn units(&self, span: Nanos) -> u64 {
        match &self.grant {
            Grant::Rate(rate) | Grant::WarmUp(_, rate) | Grant::Adapt(_, rate) => rate.units(span),
            Grant::Concurrency(_) => 0,
        }
    }

    /// How deep the debt of a key becomes before it is refused.
    pub fn depth(&self) -> Nanos {
        match &self.grant {
            Grant::Rate(rate) | Grant::WarmUp(_, rate) | Grant::Adapt(_, rate) => {
                rate.quota.depth()
            }
            Grant::Concurrency(_) => Nanos::ZERO,
        }
    }
}

/// Quoted names are visible ASCII, and so is all the rest of a policy.
fn field(policy: String) -> HeaderValue {
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(""))
}

/// A name as an RFC 9651 string: only visible ASCII, with quotes and backslashes escaped.
pub fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    out.push('"');
    for c in name.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push('?'),
        }
    }
    out.push('"');
    out
}
