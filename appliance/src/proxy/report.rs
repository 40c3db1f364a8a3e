//! How a request ends: what the response says of it, what a failure looks like, and its line in the log.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use floodwall_config::Direction;
use floodwall_limiter::Nanos;
use http::{StatusCode, header};
use pingora_error::{Error, ErrorSource, ErrorType, OrErr, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, Session};

use super::{Exchange, Proxy, forward, session, upgrade, view};
use crate::{
    access_log::{Entry, Verdict, timestamp},
    compress::{self, Encoder},
    host::Host,
    pages, refusal,
    server::{connection::Connection, progress::Overdue},
    trace,
};

/// Puts onto an admitted response what the limits and the route say, and tells the limits of it before the client
/// can know: its next request is asked as if it had come after that.
pub(super) fn decorate(
    host: &Host,
    request: &RequestHeader,
    response: &mut ResponseHeader,
    ctx: &mut Exchange,
) -> Result<()> {
    if session::is_interim(response.status) {
        return Ok(());
    }
    let after = &mut ctx.admission.after;
    if !after.is_empty() {
        let (generation, now) = (&ctx.generation, host.now());
        after.cost(host, generation, response, now);
        after.response(host, generation, response.status.as_u16(), false, now);
    }
    let admission = &mut ctx.admission;
    if let Some(standing) = admission.standing.take() {
        refusal::write_standing(response, &ctx.generation, standing)?;
    }
    refusal::write_shadowed(response, &ctx.generation, &admission.shadowed)?;
    match &ctx.route {
        Some(route) => forward::edit(response, &route.response_headers, request, ctx),
        None => Ok(()),
    }
}

/// Has the guard say how the client stands with its limits, past the engine's maps: where the head goes out in bytes
/// and the route changes none of its fields.
pub(super) fn supplement(session: &Session, response: &mut ResponseHeader, ctx: &mut Exchange) {
    let edits = ctx.route.as_ref().map(|route| &route.response_headers);
    let is_edited = edits.is_some_and(|edits| !edits.is_empty());
    if is_edited || session::is_interim(response.status) || session.as_downstream().is_http2() {
        return;
    }
    if let Some(progress) = &ctx.progress
        && let Some(standing) = ctx.admission.standing.take()
    {
        refusal::remove_standing(response);
        let lines = refusal::standing_lines(&ctx.generation, &standing);
        progress.supplement().put(lines);
    }
}

/// Trailers pass where both sides speak HTTP/2. The engine drops those of HTTP/1, as everybody may (RFC 9110, 6.5.1), and
/// nothing is announced then that does not come.
pub(super) fn announce_trailers(session: &Session, response: &mut ResponseHeader, ctx: &Exchange) {
    let pass =
        session.as_downstream().is_http2() && ctx.upstream().is_ok_and(|upstream| upstream.http2);
    if !pass {
        response.remove_header(&header::TRAILER);
    }
}

/// Prepares to compress the response, if the route has it and the client takes it.
pub(super) fn compress(
    request: &RequestHeader,
    response: &mut ResponseHeader,
    ctx: &mut Exchange,
) -> Result<()> {
    let route = ctx.route.as_ref();
    let rules = route.and_then(|route| route.rule.compress.as_ref());
    if let Some(rules) = rules {
        ctx.encoder = compress::begin(rules, request, response)?;
    }
    Ok(())
}

/// Puts what is compressed into the place of a part of the body.
pub(super) fn encode(encoder: &mut Encoder, body: &mut Option<Bytes>, end: bool) -> Result<()> {
    let part = body.take().unwrap_or_default();
    let coded = encoder.encode(&part, end).or_err(
        ErrorType::InternalError,
        "the response cannot be compressed",
    )?;
    *body = (!coded.is_empty()).then_some(coded);
    Ok(())
}

/// The rest of a compressed body when trailers come behind it, which the engine gives up for that.
pub(super) fn encode_rest(ctx: &mut Exchange) -> Result<Option<Bytes>> {
    let mut rest = None;
    if let Some(encoder) = &mut ctx.encoder {
        encode(encoder, &mut rest, true)?;
    }
    Ok(rest)
}

/// Gives the upstream's answer up for a page that stands for it.
///
/// # Errors
/// The status, when there is such a page.
pub(super) fn intercept(status: StatusCode, ctx: &mut Exchange) -> Result<()> {
    let route = ctx.route.as_deref();
    let page = pages::find(&ctx.generation, route, status.as_u16());
    if page.is_none_or(|page| !page.intercept) {
        return Ok(());
    }
    ctx.error = Some("a page stands for the upstream's answer");
    // Nobody's fault: nothing is tried again, and no breaker hears of it twice.
    Err(Error::new(ErrorType::HTTPStatus(status.as_u16())))
}

/// Answers for an upstream that did not, unless its response is already on its way.
pub(super) async fn failure(
    host: &Host,
    session: &mut Session,
    error: &Error,
    ctx: &mut Exchange,
) -> FailToProxy {
    if let Some(progress) = &ctx.progress {
        progress.supplement().clear();
    }
    let fault = ctx.progress.as_ref().and_then(|progress| progress.fault());
    let status = fault.map_or_else(|| session::status_of(error), |fault| fault.status);
    if let Some(fault) = fault {
        ctx.verdict = Verdict::Malformed;
        ctx.error = Some(fault.what);
        host.stats.requests.malformed.one();
    }
    if *error.esource() == ErrorSource::Upstream {
        ctx.verdict = Verdict::Failed;
        if let Ok(upstream) = ctx.upstream() {
            upstream.state.counts.errors.one();
        }
    }
    let reason = ctx.error.unwrap_or(match status {
        504 => "the upstream took too long",
        502 => "the upstream could not be reached or broke off",
        413 => "the request body is too large",
        408 => "the request body took too long",
        500 => "an error inside the proxy",
        _ => "the request could not be read to its end",
    });
    ctx.error = Some(reason);
    count_response(host, ctx, status);
    session.set_keepalive(None);
    if status > 0
        && session::given(session).is_none()
        && let Ok(answer) = pages::answer(&ctx.generation, ctx.route.as_deref(), status, reason)
    {
        // The client may be gone; then there is nobody to tell.
        let answered = Proxy::respond(session, answer).await.is_ok();
        ctx.takes_leave = answered && !session.as_downstream().is_http2();
    }
    FailToProxy {
        error_code: status,
        can_reuse_downstream: false,
    }
}

/// Counts the request and writes its line.
pub(super) fn finish(
    host: &Host,
    session: &mut Session,
    error: Option<&Error>,
    ctx: &mut Exchange,
) {
    let status = session::given(session).map(|response| response.status.as_u16());
    // The engine has it back, or has closed it.
    ctx.seat = None;
    let Some(connection) = ctx.connection.take() else {
        return;
    };
    if let Some(pass) = &ctx.pass
        && status.is_some()
        && error.is_none()
        && ctx.answered > Nanos::ZERO
    {
        pass.completed(ctx.answered);
    }
    settle(host, session, status, ctx);
    let now = host.now();
    count_request(host, ctx, status.unwrap_or(0), now);
    if let Some(progress) = &ctx.progress {
        progress.finished(now);
    }
    log(host, &connection, ctx, || {
        let request = view(session.req_header());
        let broken = error.map(|error| error.etype().as_str());
        End {
            method: request.method,
            host: request.host,
            path: request.path,
            status,
            bytes: session.body_bytes_sent() as u64,
            error: ctx.error.or(broken),
            trace_id: trace::id(request.headers),
        }
    });
}

/// Counts a request that ends without a session, and writes its line.
pub(super) fn abandoned(ctx: &mut Exchange) {
    let Some(connection) = ctx.connection.take() else {
        return;
    };
    let host = &connection.host;
    count_response(host, ctx, 0);
    count_request(host, ctx, 0, host.now());
    let given_up = ctx
        .progress
        .as_ref()
        .and_then(|progress| progress.given_up());
    let error = given_up.map_or("the connection was cut", Overdue::reason);
    let line = ctx.line.take();
    let (method, authority, path) = match &line {
        Some(line) => (line.method.as_str(), &*line.host, &*line.path),
        None => Default::default(),
    };
    let end = End {
        method,
        host: authority,
        path,
        status: None,
        bytes: ctx.counted_out,
        error: ctx.error.or(Some(error)),
        trace_id: None,
    };
    log(host, &connection, ctx, || end);
}

/// Counts a request that ends after its session, and writes its line.
pub(super) fn left_engine(
    ctx: &mut Exchange,
    asked: &RequestHeader,
    status: u16,
    outcome: &upgrade::Outcome,
) {
    let Some(connection) = ctx.connection.take() else {
        return;
    };
    let host = &connection.host;
    if let Some(pass) = &ctx.pass {
        pass.completed(ctx.answered);
    }
    count_request(host, ctx, status, host.now());
    let request = view(asked);
    let end = End {
        method: request.method,
        host: request.host,
        path: request.path,
        status: Some(status),
        bytes: outcome.bytes,
        error: ctx.error.or(outcome.error),
        trace_id: trace::id(&asked.headers),
    };
    log(host, &connection, ctx, || end);
}

/// How a request ended.
struct End<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    status: Option<u16>,
    bytes: u64,
    error: Option<&'a str>,
    trace_id: Option<&'a str>,
}

fn count_request(host: &Host, ctx: &Exchange, status: u16, now: Nanos) {
    host.stats.requests.outcomes.count(ctx.verdict, status);
    if let Some(route) = &ctx.route {
        let took = now.minus(ctx.begun);
        route.stats.finished(status, took);
    }
}

fn log<'a>(host: &Host, connection: &Connection, ctx: &Exchange, end: impl FnOnce() -> End<'a>) {
    if !host.access_log.is_on() {
        return;
    }
    let end = end();
    let now = host.now();
    let upstream = ctx.upstream().ok();
    host.access_log.write(&Entry {
        time: timestamp(SystemTime::now()),
        client: ctx.client.map(|client| client.address),
        peer: connection.peer.address(),
        method: end.method,
        host: end.host,
        path: end.path,
        status: end.status,
        bytes: end.bytes,
        duration_ms: millis(now.minus(ctx.begun)),
        upstream: upstream.map(|upstream| upstream.name.as_str()),
        upstream_address: ctx.tried.last().map(ToString::to_string),
        upstream_ms: (ctx.answered > Nanos::ZERO).then(|| millis(ctx.answered.minus(ctx.asked))),
        route: ctx.route.as_ref().map(|route| route.rule.name.as_str()),
        limit: ctx
            .refused_by
            .map(|index| ctx.generation.limit(index).name.as_str()),
        shed_by: ctx.shed.map(|shed| shed.by),
        verdict: ctx.verdict,
        error: end.error,
        generation: ctx.generation.number,
        request_id: &ctx.id(),
        trace_id: end.trace_id,
    });
}

/// Tells the limits what they charge afterwards, as far as they do not know it yet.
fn settle(host: &Host, session: &Session, status: Option<u16>, ctx: &mut Exchange) {
    if ctx.admission.after.is_empty() {
        return;
    }
    count_response(host, ctx, status.unwrap_or(0));
    let rest = (session.body_bytes_sent() as u64).saturating_sub(ctx.counted_out);
    let after = &ctx.admission.after;
    after.bytes(host, &ctx.generation, Direction::Out, rest, host.now());
}

fn count_response(host: &Host, ctx: &mut Exchange, status: u16) {
    let failed = ctx.verdict == Verdict::Failed;
    let after = &mut ctx.admission.after;
    if !after.is_empty() {
        after.response(host, &ctx.generation, status, failed, host.now());
    }
}

fn millis(span: Nanos) -> f64 {
    let micros = Duration::from(span).as_micros();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a request of 285 years may lose a microsecond"
    )]
    let micros = micros as f64;
    micros / 1000.0
}
