//! What a request puts into templates.

use std::{borrow::Cow, net::IpAddr};

use floodwall_config::Variable;

use crate::request::RequestView;

/// One request as the client sent it, with what Floodwall found out about it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub request: RequestView<'a>,
    pub client: IpAddr,
    /// The TCP peer; none over a unix socket.
    pub peer: Option<IpAddr>,
    pub listener: &'a str,
    pub scheme: &'a str,
    /// Empty when no route was found.
    pub route: &'a str,
    /// Empty when there is none.
    pub upstream: &'a str,
    pub generation: u64,
    pub request_id: &'a str,
}

impl<'a> Facts<'a> {
    /// What stands for a variable; empty when the request has no such part. A token stands for nothing here.
    pub fn value(&self, variable: &Variable) -> Cow<'a, str> {
        let request = &self.request;
        match variable {
            Variable::Client => self.client.to_canonical().to_string().into(),
            Variable::Peer => match self.peer {
                Some(peer) => peer.to_canonical().to_string().into(),
                None => "unix".into(),
            },
            Variable::Host => request.host.into(),
            Variable::Method => request.method.into(),
            Variable::Path => request.path.into(),
            Variable::Query => request.query.unwrap_or_default().into(),
            Variable::Route => self.route.into(),
            Variable::Upstream => self.upstream.into(),
            Variable::Listener => self.listener.into(),
            Variable::Scheme => self.scheme.into(),
            Variable::Generation => self.generation.to_string().into(),
            Variable::RequestId => self.request_id.into(),
            Variable::Header(name) => request.header(name.as_str()).unwrap_or_default().into(),
            Variable::Cookie(name) => request.cookie(name).unwrap_or_default().into(),
            Variable::QueryValue(name) => request.query_value(name).unwrap_or_default(),
            Variable::Token(_) => Cow::Borrowed(""),
        }
    }
}
