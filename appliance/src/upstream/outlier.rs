//! Which of an upstream's servers are left out for a while.

use std::sync::Arc;

use floodwall_config as config;
use floodwall_limiter::{
    Nanos,
    shape::outlier::{self, Ejected, Outliers, Past, Rule, SuccessRate, Why},
};

use super::{Endpoint, Server, State, attempt::Outcome};

/// The outlier detection of one group of servers. What it knows is the upstream's, and outlives it.
#[derive(Debug)]
pub struct Outlier {
    rule: Rule,
    /// In the order of the group.
    servers: Vec<Arc<outlier::Server>>,
}

impl Outlier {
    pub(super) fn compile(outlier: &config::Outlier, servers: &[Server], state: &State) -> Self {
        let success_rate = outlier.success_rate.map(|rate| SuccessRate {
            min_servers: usize::try_from(rate.min_servers).unwrap_or(usize::MAX),
            min_requests: rate.min_requests,
            deviations: rate.deviations,
        });
        Self {
            rule: Rule {
                consecutive: outlier.consecutive,
                success_rate,
                interval: outlier.interval,
                eject_for: outlier.duration,
                eject_at_most: outlier.max,
                most_share: outlier.max_share.millionths(),
            },
            servers: servers
                .iter()
                .map(|server| state.server(&server.endpoint, outlier.interval))
                .collect(),
        }
    }

    /// What is known of a server, by its place in the group.
    pub fn server(&self, server: usize) -> &Arc<outlier::Server> {
        &self.servers[server]
    }

    /// What of a server's past is to be remembered; none when nothing is.
    pub(super) fn past(&self, server: usize, now: Nanos) -> Option<Past> {
        self.servers[server].past(self.rule.interval, now)
    }

    /// Has a server go on with its past, and tells whether it does.
    pub(super) fn resume(&self, all: &Outliers, server: usize, past: Past, now: Nanos) -> bool {
        all.resume(&self.servers, server, past, &self.rule, now)
    }

    pub(super) fn is_out(&self, server: usize, now: Nanos) -> bool {
        self.servers[server].out_for(now).is_some()
    }

    /// Counts an answer of a server, and tells the operator whom that put out.
    pub(super) fn answered(
        &self,
        outliers: &Outliers,
        server: usize,
        outcome: Outcome,
        now: Nanos,
        address: impl Fn(usize) -> Endpoint,
    ) {
        let bad = match outcome {
            Outcome::Answered { status, .. } => status >= 500,
            Outcome::NoAnswer => true,
        };
        for Ejected { server, span, why } in
            outliers.answered(&self.servers, server, bad, &self.rule, now)
        {
            let (address, seconds) = (address(server), span.secs_ceil());
            match why {
                Why::InARow(count) => {
                    tracing::warn!(
                        "{address} is left out for {seconds} s: {count} bad answers in a row"
                    );
                }
                Why::SuccessRate { own, least } => tracing::warn!(
                    "{address} is left out for {seconds} s: of its answers {}% were good, and {}% are the least beside \
                     the others",
                    own / 10_000,
                    least / 10_000
                ),
            }
        }
    }
}
