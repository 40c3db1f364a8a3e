//! What becomes of an admitted request: the action of its route.

use floodwall_config::{self as config, Action};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::{Exchange, Proxy, onward, report, session, view};
use crate::{
    access_log::Verdict,
    facts::Facts,
    host::Host,
    key::Subject,
    pages, redirect,
    refusal::{self, Answer},
    route::Route,
    split,
};

/// Answers the request, or has an upstream take it. True when it is answered.
pub(super) async fn follow(
    host: &Host,
    session: &mut Session,
    ctx: &mut Exchange,
    route: &Route,
) -> Result<bool> {
    if route.lacks().is_some() {
        return lacking(session, ctx).await;
    }
    let generation = std::sync::Arc::clone(&ctx.generation);
    match &route.rule.action {
        Action::Upstream(index) => onward::enter(host, session, ctx, &generation, *index).await,
        Action::Split(split) => {
            let index = chosen(host, session.req_header(), ctx, split, route)?;
            onward::enter(host, session, ctx, &generation, index).await
        }
        Action::Respond(response) => {
            let answer = refusal::configured(response)?;
            decorated(host, session, ctx, answer).await
        }
        Action::Redirect(redirect) => {
            let answer = elsewhere(session.req_header(), ctx, redirect)?;
            decorated(host, session, ctx, answer).await
        }
    }
}

async fn decorated(
    host: &Host,
    session: &mut Session,
    ctx: &mut Exchange,
    mut answer: Answer,
) -> Result<bool> {
    report::decorate(host, session.req_header(), &mut answer.header, ctx)?;
    Proxy::respond(session, answer).await
}

/// The answer while a token is missing that the route cannot do without.
async fn lacking(session: &mut Session, ctx: &mut Exchange) -> Result<bool> {
    const WHY: &str = "a token that the route needs is not there yet";
    ctx.verdict = Verdict::Unavailable;
    ctx.error = Some(WHY);
    let mut answer = pages::answer(&ctx.generation, ctx.route.as_deref(), 503, WHY)?;
    answer.header.insert_header("retry-after", 1)?;
    Proxy::respond(session, answer).await
}

fn chosen(
    host: &Host,
    head: &RequestHeader,
    ctx: &Exchange,
    split: &config::Split,
    route: &Route,
) -> Result<config::UpstreamIndex> {
    let (Some(connection), Some(client)) = (&ctx.connection, ctx.client) else {
        return nobody();
    };
    let subject = Subject {
        request: view(head),
        client,
        client_key: client.key(host.secret()),
        route: &route.rule.name,
        connection: connection.id,
        tls: connection.tls.as_ref(),
    };
    match split::choose(split, &subject) {
        Some(choice) => Ok(choice.upstream),
        None => Error::e_explain(ErrorType::InternalError, "no arm takes the request"),
    }
}

fn elsewhere(head: &RequestHeader, ctx: &Exchange, redirect: &config::Redirect) -> Result<Answer> {
    let id = ctx.id();
    match facts(head, ctx, &id) {
        Some(facts) => redirect::answer(redirect, session::authority(head), &facts),
        None => nobody(),
    }
}

fn nobody<T>() -> Result<T> {
    Error::e_explain(ErrorType::InternalError, "a request from nobody")
}

/// What the request puts into templates; none before it is known who asks. `id` is [`Exchange::id`].
pub(super) fn facts<'a>(
    head: &'a RequestHeader,
    ctx: &'a Exchange,
    id: &'a str,
) -> Option<Facts<'a>> {
    let (connection, client) = (ctx.connection.as_ref()?, ctx.client?);
    Some(Facts {
        request: view(head),
        client: client.address,
        peer: connection.peer.address(),
        listener: &connection.rules.listener,
        scheme: connection.scheme(),
        route: ctx.route.as_ref().map_or("", |route| &route.rule.name),
        upstream: ctx.upstream().map_or("", |upstream| &upstream.name),
        generation: ctx.generation.number,
        request_id: id,
    })
}
