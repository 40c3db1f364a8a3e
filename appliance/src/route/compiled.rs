//! A route, ready to be followed.

use std::sync::Arc;

use floodwall_config::{self as config, Missing};

use crate::{
    edits::Edits,
    mirror::Mirror,
    stats::{RouteStats, Stats},
    tokens::{Token, Tokens},
};

/// One rule of the routing list, with everything that is worked out once for a generation.
#[derive(Debug)]
pub struct Route {
    /// What the file says.
    pub rule: config::Route,
    pub request_headers: Edits,
    pub response_headers: Edits,
    /// Who gets copies of its requests.
    pub mirror: Option<Arc<Mirror>>,
    /// What came of its requests.
    pub stats: Arc<RouteStats>,
    /// The tokens without which its requests are refused.
    needed: Vec<Arc<Token>>,
}

impl Route {
    pub(super) fn compile(
        route: &config::Route,
        limits: &[config::Limit],
        tokens: &Tokens,
        stats: &Stats,
    ) -> Self {
        let names = route.request_headers.tokens();
        let mut needed: Vec<Arc<Token>> = names
            .chain(route.response_headers.tokens())
            .filter_map(|name| tokens.named(name).cloned())
            .filter(|token| token.missing == Missing::Refuse)
            .collect();
        needed.dedup_by(|one, other| one.name == other.name);
        let mut response_headers = Edits::compile(&route.response_headers, tokens);
        // Whether or not the limit concerns the request: what it has cost is for nobody else.
        response_headers.remove(
            route
                .limits
                .iter()
                .filter_map(|limit| limits[limit.0].cost()),
        );
        Self {
            request_headers: Edits::compile(&route.request_headers, tokens),
            response_headers,
            mirror: route
                .mirror
                .map(|mirror| Mirror::new(mirror, &route.name, stats.mirror(&route.name))),
            stats: stats.route(&route.name),
            needed,
            rule: route.clone(),
        }
    }

    /// The first token that its requests are refused for the want of.
    pub fn lacks(&self) -> Option<&Token> {
        let mut needed = self.needed.iter();
        needed
            .find(|token| token.value().is_none())
            .map(AsRef::as_ref)
    }
}
