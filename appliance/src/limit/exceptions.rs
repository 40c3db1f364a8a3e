//! Keys with a rule of their own, found without looking at the others.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use floodwall_config as config;
use floodwall_config::Excepted;
use floodwall_limiter::Secret;
use ipnet::IpNet;

use super::{
    nested::Nested,
    rule::{Rule, RuleOf},
};

/// What an exception allows: a rule, or anything.
pub(super) type Allowance = Option<Arc<Rule>>;

/// The exceptions of one limit. A value counts before a prefix, and both before a network.
#[derive(Debug)]
pub(super) struct Exceptions {
    values: HashMap<String, Allowance>,
    prefixes: Nested<String, Allowance>,
    networks: Nested<IpNet, Allowance>,
    rules: HashMap<RuleOf, Arc<Rule>>,
}

impl Exceptions {
    pub(super) fn compile(
        exceptions: &[config::Exception],
        secret: Secret,
        rule: impl Fn(RuleOf, &config::Exemption) -> Option<Rule>,
    ) -> Self {
        let mut rules = HashMap::new();
        let mut values = HashMap::new();
        let (mut prefixes, mut networks) = (Vec::new(), Vec::new());
        for exception in exceptions {
            let of = number(&exception.of, secret);
            let allowance = rule(of, &exception.allows).map(Arc::new);
            if let Some(rule) = &allowance {
                rules.insert(of, Arc::clone(rule));
            }
            match &exception.of {
                Excepted::Value(value) => {
                    values.insert(value.clone(), allowance);
                }
                Excepted::Prefix(prefix) => prefixes.push((prefix.clone(), allowance)),
                Excepted::Net(network) => networks.push((*network, allowance)),
            }
        }
        Self {
            values,
            prefixes: Nested::new(prefixes),
            networks: Nested::new(networks),
            rules,
        }
    }

    /// The exception for a key that has these `values` beside the client's address.
    pub(super) fn find<'a>(
        &self,
        values: impl Iterator<Item = &'a str> + Clone,
        client: IpAddr,
    ) -> Option<&Allowance> {
        self.of_value(values).or_else(|| {
            if self.networks.is_empty() {
                return None;
            }
            self.networks.find(&client.to_canonical())
        })
    }

    /// The rule of the exception of this number.
    pub(super) fn rule_of(&self, of: RuleOf) -> Option<&Arc<Rule>> {
        self.rules.get(&of)
    }

    fn of_value<'a>(
        &self,
        mut values: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<&Allowance> {
        if !self.values.is_empty()
            && let Some(found) = values.clone().find_map(|value| self.values.get(value))
        {
            return Some(found);
        }
        if self.prefixes.is_empty() {
            return None;
        }
        values.find_map(|value| self.prefixes.find(value))
    }
}

/// A hash of whom an exception means: the same in every generation, and never that of the limit's own rule.
fn number(of: &Excepted, secret: Secret) -> RuleOf {
    let words = match of {
        Excepted::Value(value) => format!("value {value}"),
        Excepted::Prefix(prefix) => format!("prefix {prefix}"),
        Excepted::Net(network) => format!("network {network}"),
    };
    RuleOf(secret.hash_bytes(words.as_bytes()) | 1)
}
