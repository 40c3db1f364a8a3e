//! A limit of requests, compiled: who is counted, by which quota, and what a refusal looks like.

use std::{collections::HashMap, sync::Arc};

use floodwall_config as config;
use floodwall_config::{Absent, Allowance, Excepted, KeyPart, Match, Rate};
use floodwall_limiter::{
    LimitId, LimitKind, Nanos, Quota, Scope, Secret,
    escalation::{Escalation, Ledger},
};
use http::HeaderValue;
use ipnet::IpNet;

use crate::stats::LimitStats;

/// One limit of a generation.
#[derive(Debug)]
pub struct Limit {
    pub name: String,
    /// The name as header fields write it.
    pub quoted: String,
    pub id: LimitId,
    pub key: Vec<KeyPart>,
    pub rule: Rule,
    pub matches: Option<Match>,
    /// A request that lacks a part of the key is not counted.
    pub skip_absent: bool,
    pub shadow: bool,
    pub reject: config::Response,
    pub block: Option<Block>,
    pub stats: Arc<LimitStats>,
    exceptions: Exceptions,
}

/// A quota and its words for the response headers.
#[derive(Debug)]
pub struct Rule {
    pub rate: Rate,
    /// This limit's item of the `RateLimit-Policy` field; cloning it copies nothing.
    pub policy: HeaderValue,
}

/// When this limit puts a source into the kernel's table.
#[derive(Debug)]
pub struct Block {
    pub escalation: Escalation,
    pub ledger: Ledger,
    pub scope: Scope,
}

/// What a key may do.
#[derive(Debug)]
pub enum Allowed<'a> {
    Unlimited,
    By(&'a Rule),
}

#[derive(Debug, Default)]
struct Exceptions {
    values: HashMap<String, Option<Rule>>,
    /// Longest prefix first, so that the first match is the closest.
    networks: Vec<(IpNet, Option<Rule>)>,
}

impl Limit {
    pub fn compile(limit: &config::Limit, secret: Secret, stats: Arc<LimitStats>) -> Self {
        Self {
            name: limit.name.clone(),
            quoted: quoted(&limit.name),
            id: LimitId::new(secret, LimitKind::Request, &limit.name),
            key: limit.key.clone(),
            rule: Rule::new(&limit.name, &limit.rate),
            matches: limit.matches.clone(),
            skip_absent: limit.absent == Absent::Skip,
            shadow: limit.shadow,
            reject: limit.reject.clone(),
            block: limit
                .block
                .as_ref()
                .map(|block| Block::compile(&limit.name, block, secret)),
            stats,
            exceptions: Exceptions::compile(limit),
        }
    }

    /// What a request may do whose key has these `values` beside the `client`'s address.
    pub fn allowed<'a>(
        &self,
        mut values: impl Iterator<Item = &'a str>,
        client: std::net::IpAddr,
    ) -> Allowed<'_> {
        if self.exceptions.is_empty() {
            return Allowed::By(&self.rule);
        }
        let of_value = values.find_map(|value| self.exceptions.values.get(value));
        match of_value.or_else(|| self.exceptions.of_client(client)) {
            None => Allowed::By(&self.rule),
            Some(None) => Allowed::Unlimited,
            Some(Some(rule)) => Allowed::By(rule),
        }
    }
}

impl Rule {
    fn new(limit: &str, rate: &Rate) -> Self {
        let policy = format!(
            "{};q={};w={}",
            quoted(limit),
            rate.burst,
            window(rate.quota).secs_ceil().max(1)
        );
        Self {
            rate: rate.clone(),
            // A quoted name is visible ASCII, and so is all the rest.
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("")),
        }
    }
}

/// The time in which an empty bucket fills: the window in which the burst is the quota.
fn window(quota: Quota) -> Nanos {
    quota.depth()
}

/// A name as an RFC 9651 string: only visible ASCII, with quotes and backslashes escaped.
fn quoted(name: &str) -> String {
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

impl Exceptions {
    fn compile(limit: &config::Limit) -> Self {
        let mut compiled = Self::default();
        for exception in &limit.exceptions {
            let rule = match &exception.allowance {
                Allowance::Unlimited => None,
                Allowance::Rate(rate) => Some(Rule::new(&limit.name, rate)),
            };
            match &exception.of {
                Excepted::Value(value) => {
                    compiled.values.insert(value.clone(), rule);
                }
                Excepted::Net(network) => compiled.networks.push((*network, rule)),
            }
        }
        compiled
            .networks
            .sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        compiled
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.networks.is_empty()
    }

    fn of_client(&self, client: std::net::IpAddr) -> Option<&Option<Rule>> {
        self.networks
            .iter()
            .find(|(network, _)| network.contains(&client))
            .map(|(_, rule)| rule)
    }
}
