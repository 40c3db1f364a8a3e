//! A limit of requests, compiled: who is counted, by which rule, and what a refusal looks like.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_config::{Absent, Count, KeyPart, Match};
use floodwall_limiter::{
    KeyHash, LimitId, LimitKind, Scope, Secret,
    escalation::{Escalation, Ledger},
};

mod enforced;
mod exceptions;
pub mod live;
mod nested;
pub mod rule;

use enforced::Enforced;
use exceptions::Exceptions;
use rule::{Rule, RuleOf};

use crate::{key::Subject, stats::LimitStats};

/// One limit of a generation.
#[derive(Debug)]
pub struct Limit {
    pub name: String,
    /// The name as header fields write it.
    pub quoted: String,
    pub id: LimitId,
    /// Where the warmth of its keys lives.
    pub warmth: LimitId,
    pub key: Vec<KeyPart>,
    /// The key's hash where it has no parts: one budget for all.
    pub key_of_all: Option<KeyHash>,
    pub counts: Counts,
    pub queue: Option<config::Queue>,
    pub rule: Arc<Rule>,
    pub matches: Option<Match>,
    /// A request that lacks a part of the key is not counted.
    pub skip_absent: bool,
    pub shadow: bool,
    pub reject: config::Response,
    pub block: Option<Block>,
    pub stats: Arc<LimitStats>,
    /// The limits that watch this one's load.
    pub watched_by: Vec<config::LimitIndex>,
    enforced: Enforced,
    exceptions: Option<Exceptions>,
}

/// What is counted, and when.
#[derive(Debug)]
pub enum Counts {
    /// Each request when it comes; what it has cost, its response may say in this field.
    Requests { cost: Option<http::HeaderName> },
    /// Requests under way.
    Concurrency,
    /// The admitted requests of others. Its own only look.
    Related,
    /// Bytes of bodies, when they pass.
    Bytes(config::Direction),
    /// Responses, when they are known.
    Responses(config::Responses),
}

/// When this limit puts a source into the kernel's table.
#[derive(Debug)]
pub struct Block {
    pub escalation: Escalation,
    pub ledger: Ledger,
    pub scope: Scope,
}

impl Limit {
    pub fn compile(limit: &config::Limit, secret: Secret, stats: Arc<LimitStats>) -> Self {
        Self {
            name: limit.name.clone(),
            quoted: rule::quoted(&limit.name),
            id: LimitId::new(secret, LimitKind::Request, &limit.name),
            warmth: LimitId::new(secret, LimitKind::Warmth, &limit.name),
            key: limit.key.clone(),
            key_of_all: limit.key.is_empty().then(|| KeyHash::of_nothing(secret)),
            counts: Counts::compile(limit),
            queue: limit.queue,
            rule: Arc::new(match &limit.budget {
                config::Grant::Rate(budget) => Rule::of_rate(limit, RuleOf::LIMIT, &budget.rate),
                config::Grant::Concurrency(most) => {
                    Rule::of_concurrency(limit, RuleOf::LIMIT, *most)
                }
            }),
            matches: limit.matches.clone(),
            skip_absent: limit.absent == Absent::Skip,
            shadow: limit.shadow,
            reject: limit.reject.clone(),
            block: limit
                .block
                .as_ref()
                .map(|block| Block::compile(&limit.name, block, secret)),
            stats,
            watched_by: Vec::new(),
            enforced: Enforced::compile(limit),
            exceptions: (!limit.exceptions.is_empty()).then(|| exceptions(limit, secret)),
        }
    }

    /// What a request may do; nothing is anything.
    #[inline]
    pub fn rule(&self, subject: &Subject<'_>) -> Option<&Arc<Rule>> {
        match &self.exceptions {
            None => Some(&self.rule),
            Some(exceptions) => self.rule_among(exceptions, subject),
        }
    }

    #[inline(never)]
    fn rule_among<'a>(
        &'a self,
        exceptions: &'a Exceptions,
        subject: &Subject<'_>,
    ) -> Option<&'a Arc<Rule>> {
        let values = subject.values(&self.key);
        let values = values.iter().flatten().map(AsRef::as_ref);
        match exceptions.find(values, subject.client.address) {
            None => Some(&self.rule),
            Some(allowance) => allowance.as_ref(),
        }
    }

    /// The rule of this number; none when its exception is gone.
    pub fn rule_of(&self, of: RuleOf) -> Option<&Arc<Rule>> {
        if of == RuleOf::LIMIT {
            return Some(&self.rule);
        }
        self.exceptions.as_ref()?.rule_of(of)
    }

    /// Whether the key of this request is refused when it is over, rather than only counted.
    #[inline]
    pub fn enforces(&self, subject: &Subject<'_>) -> bool {
        self.enforced.has(&self.key, subject)
    }
}

impl Counts {
    fn compile(limit: &config::Limit) -> Self {
        let config::Grant::Rate(budget) = &limit.budget else {
            return Self::Concurrency;
        };
        match &budget.count {
            Count::Bytes(direction) => Self::Bytes(*direction),
            Count::Responses(responses) => Self::Responses(responses.clone()),
            Count::Requests if limit.related.is_some() => Self::Related,
            Count::Requests => Self::Requests {
                // A checked header name is a token in lower case, which is all that this type asks for.
                cost: budget.cost.as_ref().and_then(|name| {
                    http::HeaderName::from_lowercase(name.as_str().as_bytes()).ok()
                }),
            },
        }
    }
}

impl Block {
    fn compile(limit: &str, block: &config::Escalation, secret: Secret) -> Self {
        Self {
            escalation: Escalation {
                // Checked to be at most 32,767.
                after: u16::try_from(block.after).unwrap_or(u16::MAX),
                within: block.within,
                first: block.duration,
                longest: block.max,
            },
            ledger: Ledger::new(secret, limit),
            scope: match block.scope {
                config::BlockScope::Listeners => Scope::Listeners,
                config::BlockScope::Host => Scope::Host,
            },
        }
    }
}

fn exceptions(limit: &config::Limit, secret: Secret) -> Exceptions {
    Exceptions::compile(&limit.exceptions, secret, |of, exemption| match exemption {
        config::Exemption::Unlimited => None,
        config::Exemption::Rate(rate) => Some(Rule::of_rate(limit, of, rate)),
        config::Exemption::Concurrency(most) => Some(Rule::of_concurrency(limit, of, *most)),
    })
}

#[cfg(test)]
mod tests {
    use floodwall_limiter::Nanos;

    use super::*;

    #[test]
    fn a_rule_has_the_words_of_its_policy() {
        let text = "
listeners: { web: { address: '127.0.0.1:8080' } }
limits: { a: { key: client, rate: 1/s, burst: 7 } }
routes: [{ name: all, respond: {} }]
";
        let config = config::Config::from_text(text, "f.yaml").unwrap();
        let secret = Secret { k0: 5, k1: 6 };
        let limit = Limit::compile(&config.limits[0], secret, Arc::default());
        assert_eq!(limit.rule.policy, "\"a\";q=7;w=7");
        assert_eq!(limit.rule.price(3), Nanos::from_secs(3));
    }
}
