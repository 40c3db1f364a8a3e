//! The phases of a request, as Pingora calls them: each gathers from the session, asks, and acts on the verdict.

use std::{
    fmt,
    os::fd::RawFd,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use floodwall_config::Direction;
use http::HeaderMap;
use pingora_core::{connectors::TransportConnector, protocols::Digest, upstreams::peer::HttpPeer};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

use crate::{
    access_log::Verdict,
    admission::{self, Waited},
    blocks, client,
    host::Host,
    key::Subject,
    pages, refusal,
    route::Route,
    server::{connection::Connection, peer::Peer, progress::Phase},
    strict,
};

mod action;
mod cookies;
mod ending;
mod exchange;
mod forged;
mod forward;
mod grpc;
mod hop;
mod http1;
mod http2;
mod onward;
mod report;
mod response;
mod session;
mod upgrade;

pub use exchange::Exchange;
pub use session::view;
pub use upgrade::Joined;

const MISDIRECTED: strict::Fault = strict::Fault {
    status: 421,
    what: "another certificate than the one of this connection is for this host",
};

/// The proxy of one thread. It holds nothing of its own: all state is the host's.
#[derive(Clone)]
pub struct Proxy {
    host: Arc<Host>,
    /// Opens connections for requests that the engine is not asked to serve.
    connector: Arc<TransportConnector>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    pub fn new(host: Arc<Host>) -> Self {
        Self {
            host,
            connector: Arc::new(TransportConnector::new(None)),
        }
    }

    /// Refuses what two programs could read in two ways, and gives the rest the one form that rules and upstreams see.
    fn understand(
        &self,
        session: &mut Session,
        ctx: &mut Exchange,
        connection: &Connection,
    ) -> std::result::Result<(), strict::Fault> {
        session::check(session, &connection.rules)?;
        if let Some(progress) = &ctx.progress {
            progress.expect(strict::framing_of(&session.req_header().headers));
        }
        session::normalize(session, ctx.generation.slashes)?;
        http2::remember(&self.host, session, ctx);
        match &connection.tls {
            Some(tls) if !tls.may_serve(view(session.req_header()).host) => Err(MISDIRECTED),
            _ => Ok(()),
        }
    }

    fn is_blocked(&self, peer: Peer, ctx: &Exchange) -> bool {
        let address = peer.address();
        address.is_some_and(|address| {
            blocks::is_blocked(&self.host, &ctx.generation.clients, address, ctx.begun)
        })
    }

    /// Has a request that was let in served as its route says, within the time it has. True when it is answered
    /// already, false when its upstream is to answer.
    async fn serve(
        &self,
        session: &mut Session,
        ctx: &mut Exchange,
        route: &Route,
    ) -> Result<bool> {
        if let Some(span) = route.rule.timeout {
            ctx.finish_within(self.host.now(), span.into());
        }
        if let Some(span) = grpc::timeout(session.req_header()) {
            ctx.finish_within(ctx.begun, span);
        }
        if action::follow(&self.host, session, ctx, route).await? {
            return Ok(true);
        }
        if grpc::is_call(session.req_header()) && !ctx.upstream()?.http2 {
            ctx.verdict = Verdict::Unavailable;
            ctx.error = Some(grpc::NEEDS_HTTP2);
            return Self::respond(session, refusal::plain(501, grpc::NEEDS_HTTP2)?).await;
        }
        match upgrade::wanted(session.req_header()) {
            Ok(None) => Ok(false),
            Ok(Some(protocols)) => {
                let opened = upgrade::open(&self.host, &self.connector, session, ctx, &protocols);
                Box::pin(opened).await
            }
            Err(fault) => self.malformed(session, ctx, fault).await,
        }
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    /// In a box: the engine hands it on by value, from each of its futures to the next.
    type CTX = Box<Exchange>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(Exchange::new(&self.host))
    }

    /// No module is used: each would cost every request.
    fn init_downstream_modules(&self, _modules: &mut pingora_core::modules::http::HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<()> {
        let (connection, progress) = session::origin(session)?;
        progress.enter(Phase::Request);
        let rules = &connection.rules;
        session.set_read_timeout(Some(rules.body));
        session.set_write_timeout(Some(rules.write));
        // Neither a client that wants to close nor one that everybody waits for is kept.
        if session.get_keepalive().is_some() {
            session.set_keepalive(Some(rules.idle.as_secs().max(1)));
        }
        ctx.connection = Some(connection);
        ctx.progress = Some(progress);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        let Some(connection) = ctx.connection.clone() else {
            return Error::e_explain(ErrorType::InternalError, "a request without its connection");
        };
        if let Err(fault) = self.understand(session, ctx, &connection) {
            return self.malformed(session, ctx, fault).await;
        }
        let peer = connection.peer;
        if self.is_blocked(peer, ctx) {
            // The kernel answers nothing to a blocked source, and neither do we.
            ctx.verdict = Verdict::Blocked;
            session.shutdown().await;
            return Ok(true);
        }
        let client = client::identify(&ctx.generation.clients, peer, &session.req_header().headers);
        ctx.client = Some(client);
        let generation = Arc::clone(&ctx.generation);
        let request = view(session.req_header());
        let Some(route) = generation.router.find(&request) else {
            ctx.verdict = Verdict::Unrouted;
            self.host.stats.requests.unrouted.one();
            let answer = pages::answer(&generation, None, 404, "no route takes this request")?;
            return Self::respond(session, answer).await;
        };
        ctx.route = Some(Arc::clone(route));
        if let Some(protection) = &generation.protection {
            match protection.admit(&self.host, route.rule.priority, ctx.begun) {
                Ok(pass) => ctx.pass = Some(pass),
                Err(shed) => return Self::shed(session, ctx, protection, shed).await,
            }
        }
        let subject = Subject {
            request,
            client,
            client_key: client.key(self.host.secret()),
            route: &route.rule.name,
            connection: connection.id,
            tls: connection.tls.as_ref(),
        };
        // The wait below takes the session that the subject looks into.
        let visitor = route
            .rule
            .gate
            .map(|index| generation.gate(index).visitor(&subject));
        let waited =
            match admission::decide(&self.host, &generation, &route.rule, &subject, ctx.begun) {
                admission::Verdict::Admitted(admission) => Waited::Admitted(admission),
                admission::Verdict::Refused(refusal) => Waited::Refused(refusal),
                admission::Verdict::Waits(pending) => {
                    let wait = Box::pin(pending.wait(session::gone(session)));
                    match &mut ctx.pass {
                        Some(pass) => pass.aside(wait).await,
                        None => wait.await,
                    }
                }
            };
        match waited {
            Waited::Admitted(admission) => ctx.admission = admission,
            Waited::Refused(refusal) => return self.refused(session, ctx, refusal).await,
            Waited::Gone => return Box::pin(Self::left(session, ctx)).await,
        }
        if let (Some(index), Some(visitor)) = (route.rule.gate, visitor) {
            let gate = generation.gate(index);
            let (now, chance) = (SystemTime::now(), self.host.chance());
            let entered = gate.enter(&self.host.journal, visitor, now, chance);
            if let Err(refused) = Box::pin(entered).await {
                return Self::kept_out(session, ctx, gate, refused).await;
            }
        }
        self.serve(session, ctx, route).await
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        http2::pass(&self.host, session, body, end, ctx);
        if ctx.copy.is_some() {
            forward::copy_body(&self.host, ctx, body.as_deref().unwrap_or_default(), end);
        }
        let bytes = body.as_ref().map_or(0, |bytes| bytes.len() as u64);
        ctx.body_bytes += bytes;
        let after = &ctx.admission.after;
        if !after.is_empty() {
            after.bytes(
                &self.host,
                &ctx.generation,
                Direction::In,
                bytes,
                self.host.now(),
            );
        }
        let most = ctx
            .connection
            .as_ref()
            .and_then(|connection| connection.rules.body_bytes);
        if most.is_some_and(|most| ctx.body_bytes > most) {
            ctx.error = Some("the request body is too large");
            return Err(Error::new_down(ErrorType::HTTPStatus(413)));
        }
        Ok(())
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        onward::share(ctx).await;
        onward::peer(&self.host, session, ctx)
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        fd: RawFd,
        _digest: Option<&Digest>,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        onward::connected(&self.host, ctx, fd, reused)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        onward::unreachable(&self.host, session, ctx, &mut error);
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Self::CTX,
        client_reused: bool,
    ) -> Box<Error> {
        onward::broken(&self.host, session, ctx, &mut error, client_reused);
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        http2::await_body(&self.host, session, ctx);
        forward::rewrite(session.req_header(), request, ctx)?;
        forward::copy_head(request, ctx);
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        response::check(response)?;
        hop::strip_response(response);
        onward::answered(&self.host, session, ctx, response.status)?;
        report::intercept(response.status, ctx)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        if self.host.leaving.load(Relaxed) {
            session.set_keepalive(None);
        }
        report::announce_trailers(session, response, ctx);
        report::compress(session.req_header(), response, ctx)?;
        response::fit(response);
        hop::frame(session, response);
        report::supplement(session, response, ctx);
        report::decorate(&self.host, session.req_header(), response, ctx)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        if let Some(encoder) = &mut ctx.encoder {
            report::encode(encoder, body, end)?;
        }
        let after = &ctx.admission.after;
        if !after.is_empty() {
            let bytes = body.as_ref().map_or(0, |bytes| bytes.len() as u64);
            ctx.counted_out += bytes;
            after.bytes(
                &self.host,
                &ctx.generation,
                Direction::Out,
                bytes,
                self.host.now(),
            );
        }
        Ok(None)
    }

    async fn response_trailer_filter(
        &self,
        _session: &mut Session,
        _trailers: &mut HeaderMap,
        ctx: &mut Box<Exchange>,
    ) -> Result<Option<Bytes>> {
        report::encode_rest(ctx)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        report::failure(&self.host, session, error, ctx).await
    }

    fn suppress_error_log(&self, _session: &Session, _ctx: &Self::CTX, _error: &Error) -> bool {
        // The access log has it, with what it was about.
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        report::finish(&self.host, session, error, ctx);
        if ctx.takes_leave {
            ctx.let_go();
            session.shutdown().await;
        }
    }
}
