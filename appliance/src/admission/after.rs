//! What is charged after a request was admitted: bytes when they pass, responses and costs when they are known.
//!
//! Such charges come too late to refuse anything; they make a debt, and a key in debt is refused at its next
//! request. So a key may be over by what is under way when it reaches its limit. A debt of responses grows to twice
//! the burst at most, one of bytes and costs to an hour beyond it.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_config::Direction;
use floodwall_limiter::{FlowId, Nanos, Quota, set::Done};
use http::HeaderValue;
use pingora_http::ResponseHeader;
use smallvec::SmallVec;

use super::ask::Asked;
use crate::{
    generation::Generation,
    host::Host,
    limit::{Counts, Limit, rule::Rule},
};

/// One limit's charge that is still to come.
#[derive(Debug)]
pub(super) struct After {
    limit: config::LimitIndex,
    flow: FlowId,
    rule: Arc<Rule>,
    /// What was charged at once.
    charged: Option<(Quota, Done)>,
    /// The response was counted.
    counted: bool,
}

/// All of a request's.
#[derive(Debug, Default)]
pub struct Afterwards(SmallVec<[After; 1]>);

/// How much deeper a debt of bytes or of costs may become than the burst.
const OVERDRAFT: Nanos = Nanos::from_secs(3_600);
/// The highest cost of one request.
const MOST_COST: u64 = 1_000_000;

impl After {
    pub(super) fn new(asked: &Asked<'_>, charged: Option<(Quota, Done)>) -> Self {
        Self {
            limit: asked.index,
            flow: asked.flow(),
            rule: Arc::clone(asked.rule),
            charged,
            counted: false,
        }
    }

    fn debit(&self, host: &Host, limit: &Limit, price: Nanos, overdraft: Nanos, now: Nanos) {
        let deepest = self.rule.depth().plus(overdraft);
        // Too many races forgive one charge.
        if let Ok(done) = host.table.debit(self.flow, price, deepest, now) {
            limit.stats.took(done);
        }
    }
}

impl Afterwards {
    pub(super) fn push(&mut self, after: After) {
        self.0.push(after);
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts bytes of a body that pass.
    pub fn bytes(
        &self,
        host: &Host,
        generation: &Generation,
        way: Direction,
        bytes: u64,
        now: Nanos,
    ) {
        if bytes == 0 {
            return;
        }
        for after in &self.0 {
            let limit = generation.limit(after.limit);
            if let Counts::Bytes(counted) = &limit.counts
                && (*counted == way || *counted == Direction::Both)
            {
                after.debit(host, limit, after.rule.price(bytes), OVERDRAFT, now);
            }
        }
    }

    /// Counts the response, once: its status, or that the upstream had none.
    pub fn response(
        &mut self,
        host: &Host,
        generation: &Generation,
        status: u16,
        failed: bool,
        now: Nanos,
    ) {
        for after in self.0.iter_mut().filter(|after| !after.counted) {
            let limit = generation.limit(after.limit);
            if let Counts::Responses(counted) = &limit.counts
                && counted.has(status, failed)
            {
                after.debit(host, limit, after.rule.price(1), after.rule.depth(), now);
                after.counted = true;
            }
        }
    }

    /// Charges what the response says that the request has cost. One without it, or with something else than a number,
    /// has cost 1, as was charged at once.
    pub fn cost(
        &self,
        host: &Host,
        generation: &Generation,
        response: &ResponseHeader,
        now: Nanos,
    ) {
        for after in &self.0 {
            let limit = generation.limit(after.limit);
            let Counts::Requests { cost: Some(name) } = &limit.counts else {
                continue;
            };
            let said = response.headers.get(name);
            let cost = said.and_then(cost_in).unwrap_or(1);
            if let Some((quota, done)) = after.charged
                && cost == 0
            {
                host.table.refund(after.flow, quota, done, now, 1);
            } else if cost > 1 {
                let price = after.rule.price(cost - 1);
                after.debit(host, limit, price, OVERDRAFT, now);
            }
        }
    }
}

/// The number of a field: digits alone, for a sign or a word is no cost. What is beyond all measure is [`MOST_COST`].
fn cost_in(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    let add = |number: u64, digit: &u8| {
        digit.is_ascii_digit().then(|| {
            let more = number.saturating_mul(10) + u64::from(digit - b'0');
            more.min(MOST_COST)
        })
    };
    let number = digits.iter().try_fold(0, add);
    number.filter(|_| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_digits_alone_and_has_an_end() {
        let of = |text: &str| cost_in(&HeaderValue::from_str(text).unwrap());
        for (text, cost) in [("0", 0), ("7", 7), ("007", 7), ("1000000", MOST_COST)] {
            assert_eq!(of(text), Some(cost), "{text}");
        }
        for huge in ["1000001", "18446744073709551616", &"9".repeat(5_000)] {
            assert_eq!(of(huge), Some(MOST_COST), "{huge}");
        }
        for garbage in ["", "-5", "+5", "5.0", "1e3", "5 5", "5, 5", "NaN"] {
            assert_eq!(of(garbage), None, "{garbage}");
        }
    }
}
