//! Keys with a rule of their own, found without looking at the others.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use floodwall_config as config;
use floodwall_config::Excepted;
use ipnet::IpNet;

use super::{nested::Nested, rule::Rule};

/// What an exception allows: a rule, or anything.
pub(super) type Allowance = Option<Arc<Rule>>;

/// The exceptions of one limit. A value counts before a prefix, and both before a network.
#[derive(Debug)]
pub(super) struct Exceptions {
    values: HashMap<String, Allowance>,
    prefixes: Nested<String, Allowance>,
    networks: Nested<IpNet, Allowance>,
}

impl Exceptions {
    pub(super) fn compile(
        exceptions: &[config::Exception],
        rule: impl Fn(&config::Exemption) -> Allowance,
    ) -> Self {
        let mut values = HashMap::new();
        let (mut prefixes, mut networks) = (Vec::new(), Vec::new());
        for exception in exceptions {
            let allowance = rule(&exception.allows);
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
