//! What is charged after a request was admitted: bytes when they pass, responses and costs when they are known.
//!
//! Such charges come too late to refuse anything; they make a debt, and a key in debt is refused at its next
//! request. So a key may be over by what is under way when it reaches its limit. A debt of responses grows to twice
//! the burst at most, one of bytes and costs to an hour beyond it.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_config::Direction;
use floodwall_limiter::{FlowId, Nanos, Quota, set::Done};
use pingora_http::ResponseHeader;
use smallvec::SmallVec;

use super::ask::Asked;
use crate::{
    generation::Generation,
    host::Host,
    limit::{Counts, rule::Rule},
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

    fn debit(&self, host: &Host, price: Nanos, overdraft: Nanos, now: Nanos) {
        let deepest = self.rule.depth().plus(overdraft);
        // Too many races forgive one charge.
        let _ = host.table.debit(self.flow, price, deepest, now);
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
            if let Counts::Bytes(counted) = &generation.limit(after.limit).counts
                && (*counted == way || *counted == Direction::Both)
            {
                after.debit(host, after.rule.price(bytes), OVERDRAFT, now);
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
            if let Counts::Responses(counted) = &generation.limit(after.limit).counts
                && counted.has(status, failed)
            {
                after.debit(host, after.rule.price(1), after.rule.depth(), now);
                after.counted = true;
            }
        }
    }

    /// Charges what the response says that the request has cost, and takes that field out. One without it, or with
    /// something else than a number, has cost 1, as was charged at once.
    pub fn cost(
        &self,
        host: &Host,
        generation: &Generation,
        response: &mut ResponseHeader,
        now: Nanos,
    ) {
        for after in &self.0 {
            let Counts::Requests { cost: Some(name) } = &generation.limit(after.limit).counts
            else {
                continue;
            };
            let said = response
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok()?.parse().ok());
            let cost: u64 = said.unwrap_or(1).min(MOST_COST);
            if let Some((quota, done)) = after.charged
                && cost == 0
            {
                host.table.refund(after.flow, quota, done, now, 1);
            } else if cost > 1 {
                after.debit(host, after.rule.price(cost - 1), OVERDRAFT, now);
            }
        }
        for after in &self.0 {
            if let Counts::Requests { cost: Some(name) } = &generation.limit(after.limit).counts {
                response.remove_header(name.as_str());
            }
        }
    }
}
