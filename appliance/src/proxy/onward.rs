//! The way of a request to its upstream, once or more often, and what is learned there.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::fd::RawFd,
};

use floodwall_config as config;
use floodwall_limiter::Nanos;
use http::StatusCode;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, ErrorType, Result, RetryType};
use pingora_proxy::Session;

use super::{Exchange, Proxy, session};
use crate::{
    access_log::Verdict,
    generation::Generation,
    host::Host,
    key::Subject,
    pages,
    server::peer::Peer,
    upstream::{self, Attempt, Ends, Failure, Outcome, Repeat, Unavailable, Upstream, pool},
};

/// Has the upstream take the request, or its fallback; or answers that it does not. True when it is answered.
pub(super) async fn enter(
    host: &Host,
    session: &mut Session,
    ctx: &mut Exchange,
    generation: &Generation,
    index: config::UpstreamIndex,
) -> Result<bool> {
    let upstream = generation.upstream(index);
    // Another look at the clock only for those who go by it.
    let now = if upstream.takes_everything() {
        ctx.begun
    } else {
        host.now()
    };
    let mut index = index;
    let mut key = balance_key(host, session, ctx, upstream);
    let mut entered = upstream.enter(key, now);
    if let Err(Unavailable::Open { .. }) = entered
        && let Some(other) = fallback(generation, index)
    {
        index = other;
        key = balance_key(host, session, ctx, generation.upstream(other));
        entered = generation.upstream(other).enter(key, now);
    }
    match entered {
        Ok(entry) => {
            ctx.enter(index, key, entry);
            if let Some(total) = generation.upstream(index).timeouts.total {
                ctx.finish_within(host.now(), total);
            }
            Ok(false)
        }
        Err(unavailable) => {
            ctx.upstream = Some(index);
            ctx.verdict = Verdict::Unavailable;
            ctx.error = Some(unavailable.reason());
            let wants_json = session::wants_json(session.req_header());
            let upstream = generation.upstream(index);
            let page = pages::find(generation, ctx.route.as_deref(), 503);
            let answer = match page.filter(|_| !unavailable.is_answered_by(upstream)) {
                Some(page) => unavailable.with(&page.answer(503))?,
                None => unavailable.answer(upstream, wants_json)?,
            };
            Proxy::respond(session, answer).await
        }
    }
}

/// What the servers of an upstream are chosen by for this request; 0 where that is not asked.
fn balance_key(host: &Host, session: &Session, ctx: &Exchange, upstream: &Upstream) -> u64 {
    let (Some(key), Some(client), Some(connection)) = (upstream.key(), ctx.client, &ctx.connection)
    else {
        return 0;
    };
    let subject = Subject {
        request: session::view(session.req_header()),
        client,
        client_key: client.key(host.secret()),
        route: ctx.route.as_ref().map_or("", |route| &route.rule.name),
        connection: connection.id,
        tls: connection.tls.as_ref(),
    };
    upstream::balance_key(&subject, key)
}

/// The upstream that is asked while the breaker of this one is open.
fn fallback(
    generation: &Generation,
    index: config::UpstreamIndex,
) -> Option<config::UpstreamIndex> {
    generation.upstream_named(generation.upstream(index).fallback()?)
}

/// Waits for a connection that another request is opening, where one is for many.
pub(super) async fn share(ctx: &mut Exchange) {
    ctx.opening = match (ctx.upstream(), &ctx.attempt) {
        (Ok(upstream), Some(attempt)) => pool::turn(upstream, attempt.server()).await,
        _ => None,
    };
}

/// The server that was chosen, with the time it may take.
pub(super) fn peer(host: &Host, session: &Session, ctx: &mut Exchange) -> Result<Box<HttpPeer>> {
    // What the try before it used is free by now.
    ctx.seat = None;
    let upstream = ctx.upstream()?;
    let Some(attempt) = &ctx.attempt else {
        return Error::e_explain(ErrorType::InternalError, "no server was chosen");
    };
    upstream.state.counts.requests.one();
    let now = host.now();
    let ends = upstream.announces().then(|| ends(session, ctx)).flatten();
    let peer = upstream.peer(attempt.server(), ends, ctx.time_left(now))?;
    ctx.tried.push(attempt.endpoint().clone());
    ctx.asked = now;
    ctx.answered = Nanos::ZERO;
    // A body that is sent again passes the filter again.
    ctx.body_bytes = 0;
    Ok(peer)
}

/// The request has a connection to go over.
pub(super) fn connected(host: &Host, ctx: &mut Exchange, fd: RawFd, reused: bool) -> Result<()> {
    let Some(attempt) = &ctx.attempt else {
        return Ok(());
    };
    let upstream = ctx.upstream()?;
    ctx.seat = pool::take(fd, reused, upstream, attempt.server(), &host.generation());
    if let Some(opening) = ctx.opening.take() {
        opening.succeed();
    }
    Ok(())
}

/// For whom the connection is: the client, and the address that it came to.
fn ends(session: &Session, ctx: &Exchange) -> Option<Ends> {
    let address = ctx.client?.address;
    // A header that tells of a client does not tell its port.
    let port = match ctx.connection.as_ref()?.peer {
        Peer::Direct(peer) | Peer::Told(peer) if peer.ip().to_canonical() == address => peer.port(),
        _ => 0,
    };
    let ours = session
        .server_addr()
        .and_then(|ours| ours.as_inet())
        .copied();
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    Some(Ends {
        client: SocketAddr::new(address, port),
        ours: ours.unwrap_or(nowhere),
    })
}

/// A server could not be reached: another one may be.
pub(super) fn unreachable(
    host: &Host,
    session: &mut Session,
    ctx: &mut Exchange,
    error: &mut Error,
) {
    ctx.opening = None;
    let now = host.now();
    if let Ok(upstream) = ctx.upstream() {
        upstream.state.counts.connect_failures.one();
    }
    if let Some(attempt) = &ctx.attempt {
        attempt.server().live.failed(error.to_string(), now);
    }
    ctx.settle(Outcome::NoAnswer, now);
    error.set_retry(again(session, ctx, Failure::Connect, now));
}

/// The head of a response came. One that is worth another try is dropped unread.
///
/// # Errors
/// The status, to be retried, when another server is to be asked instead.
pub(super) fn answered(
    host: &Host,
    session: &mut Session,
    ctx: &mut Exchange,
    status: StatusCode,
) -> Result<()> {
    if session::is_interim(status) {
        ctx.interim += 1;
        return if ctx.interim > MOST_INTERIM {
            let endless = "interim responses without an end";
            Err(Error::explain(ErrorType::InvalidHTTPHeader, endless).into_up())
        } else {
            Ok(())
        };
    }
    let now = host.now();
    ctx.answered = now;
    let (status, took) = (status.as_u16(), now.minus(ctx.asked));
    ctx.settle(Outcome::Answered { status, took }, now);
    if !again(session, ctx, Failure::Status(status), now) {
        return Ok(());
    }
    let mut error = Error::new_up(ErrorType::HTTPStatus(status));
    error.set_retry(true);
    Err(error)
}

/// Interim responses to one request, at most: each of them starts the clock for the next read anew.
const MOST_INTERIM: u32 = 50;

/// The exchange with a server broke off.
pub(super) fn broken(
    host: &Host,
    session: &mut Session,
    ctx: &mut Exchange,
    error: &mut Error,
    reused: bool,
) {
    // Decided when the answer came.
    if error.retry == RetryType::Decided(true) {
        return;
    }
    let stale = error.retry == RetryType::ReusedOnly && reused;
    error.set_retry(false);
    if *error.esource() != ErrorSource::Upstream {
        return;
    }
    let now = host.now();
    let repeat = repeat(session, ctx, Failure::Reset);
    let afresh = ctx.tried.len().saturating_sub(1 + ctx.retries as usize);
    let may_go_again = repeat.idempotent && repeat.body_kept && !repeat.answered;
    if stale && may_go_again && afresh < MOST_AFRESH {
        // First it gives back what it holds: the only probe of a half-open breaker must not stand in its own way.
        ctx.attempt = None;
        let next = ctx
            .upstream()
            .ok()
            .and_then(|upstream| upstream.try_afresh(ctx.balance_key, &ctx.tried, now));
        error.set_retry(replace(ctx, next));
        return;
    }
    if let Some(attempt) = &ctx.attempt {
        attempt.server().live.failed(error.to_string(), now);
    }
    ctx.settle(Outcome::NoAnswer, now);
    let failure = match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Failure::Timeout,
        _ => Failure::Reset,
    };
    error.set_retry(again(session, ctx, failure, now));
}

/// So many kept connections may have gone stale; an upstream that closes even more of them has failed. With the
/// ten retries that a file may ask for, that is within the sixteen tries that the engine makes.
const MOST_AFRESH: usize = 4;

/// Prepares another try, if there may be one.
fn again(session: &Session, ctx: &mut Exchange, failure: Failure, now: Nanos) -> bool {
    if ctx.time_left(now).is_some_and(|left| left.is_zero()) {
        return false;
    }
    let repeat = repeat(session, ctx, failure);
    let next = ctx
        .upstream()
        .ok()
        .and_then(|upstream| upstream.try_again(repeat, ctx.balance_key, &ctx.tried, now));
    let again = replace(ctx, next);
    ctx.retries += u32::from(again);
    again
}

/// Puts the next try into the place of the last, if there is one.
fn replace(ctx: &mut Exchange, next: Option<Attempt>) -> bool {
    let found = next.is_some();
    if found {
        ctx.attempt = next;
    }
    found
}

fn repeat(session: &Session, ctx: &Exchange, failure: Failure) -> Repeat {
    Repeat {
        failure,
        idempotent: session.req_header().method.is_idempotent(),
        body_kept: !session.as_ref().retry_buffer_truncated(),
        answered: session::given(session).is_some(),
        retries: ctx.retries,
    }
}
