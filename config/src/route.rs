//! `routes[]`: what is done with which request.

use floodwall_limiter::Nanos;

use crate::{HeaderEdits, LimitIndex, Match, Response, UpstreamIndex};

/// One rule of the routing list.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub name: String,
    /// The file's `match`.
    pub matches: Match,
    /// All of them admit a request, or none is charged; in the order of the file, each once.
    pub limits: Vec<LimitIndex>,
    pub action: Action,
    /// Changes to the request on its way to the upstream.
    pub request_headers: HeaderEdits,
    /// Changes to the response on its way to the client.
    pub response_headers: HeaderEdits,
    /// The whole request from its header to the last byte of the response; only with an upstream.
    pub timeout: Option<Nanos>,
}

/// Who answers a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Upstream(UpstreamIndex),
    Respond(Response),
}
