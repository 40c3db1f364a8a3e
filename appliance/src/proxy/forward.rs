//! What the upstream gets: a request that says whom it is for.

use std::sync::Arc;

use floodwall_config::{
    Rewrite,
    path::{self, Slashes},
};
use http::{HeaderValue, header};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;

use super::{Exchange, action, forged::Sender, view};
use crate::{
    edits::{Edits, Section},
    host::Host,
    trace,
};

/// Says for whom the request is, and makes the route's changes.
///
/// What a trusted proxy says is passed on and added to; what anybody else says is replaced.
pub(super) fn rewrite(
    from: &RequestHeader,
    request: &mut RequestHeader,
    ctx: &Exchange,
) -> Result<()> {
    let (Some(connection), Some(client)) = (&ctx.connection, &ctx.client) else {
        return Ok(());
    };
    let trusted = client.peer_is_trusted;
    let sender = Sender {
        is_trusted: trusted,
        named_in: ctx.generation.clients.forwarded_header.as_ref(),
        edits: ctx.route.as_ref().map(|route| &route.request_headers),
    };
    sender.strip(request);
    let said = |name: &str| {
        if trusted {
            from.headers.get(name).cloned()
        } else {
            None
        }
    };
    let peer = connection.peer_field.as_ref();
    match trusted.then(|| chain(from)).flatten() {
        Some(before) => {
            let peer = peer.and_then(|peer| peer.to_str().ok());
            let hops = peer.map_or(before.clone(), |peer| format!("{before}, {peer}"));
            request.insert_header("x-forwarded-for", hops)?;
        }
        None => match peer {
            Some(peer) => request.insert_header("x-forwarded-for", peer.clone())?,
            None => {
                request.remove_header("x-forwarded-for");
            }
        },
    }
    let proto =
        said("x-forwarded-proto").unwrap_or_else(|| HeaderValue::from_static(connection.scheme()));
    request.insert_header("x-forwarded-proto", proto)?;
    match said("x-forwarded-host").or_else(|| from.headers.get(header::HOST).cloned()) {
        Some(host) => request.insert_header("x-forwarded-host", host)?,
        None => {
            request.remove_header("x-forwarded-host");
        }
    }
    request.insert_header("x-request-id", &ctx.request_id.digits()[..])?;
    if trace::id(&from.headers).is_none() {
        request.remove_header(&trace::PARENT);
        request.remove_header(&trace::STATE);
    }
    match &ctx.route {
        Some(route) => {
            retarget(request, &route.rule.rewrite, from, ctx.generation.slashes)?;
            edit(request, &route.request_headers, from, ctx)
        }
        None => Ok(()),
    }
}

/// Begins the copy for the route's mirror, of the request as the upstream gets it; once, however often it is tried.
pub(super) fn copy_head(request: &RequestHeader, ctx: &mut Exchange) {
    if let Some(copy) = &mut ctx.copy {
        // The body comes once more.
        copy.restart();
        return;
    }
    let mirror = ctx.route.as_ref().and_then(|route| route.mirror.as_ref());
    if let Some(mirror) = mirror
        && ctx.tried.len() == 1
    {
        ctx.copy = mirror.begin(request).map(Box::new);
    }
}

/// Takes a part of the body into the copy, and sends it when it is complete.
pub(super) fn copy_body(host: &Arc<Host>, ctx: &mut Exchange, part: &[u8], end: bool) {
    let Some(mut copy) = ctx.copy.take() else {
        return;
    };
    if !copy.body(part) {
        return;
    }
    if end {
        copy.send(Arc::clone(host), Arc::clone(&ctx.generation));
    } else {
        ctx.copy = Some(copy);
    }
}

/// Puts the route's path and host in the place of the client's. A path that is put together has one spelling as any
/// other.
fn retarget(
    request: &mut RequestHeader,
    rewrite: &Rewrite,
    from: &RequestHeader,
    slashes: Slashes,
) -> Result<()> {
    if let Some(new) = &rewrite.path {
        let asked = view(from);
        let mut target = new.of(asked.path);
        if let Some(query) = asked.query {
            target.push('?');
            target.push_str(query);
        }
        let spelled = path::joined(&target, slashes)
            .map_err(|odd| Error::explain(ErrorType::HTTPStatus(400), odd.0).into_down())?;
        request.set_raw_path(spelled.as_bytes())?;
    }
    match &rewrite.host {
        Some(host) => request.insert_header(header::HOST, host.as_str()),
        None => Ok(()),
    }
}

/// The hops that a trusted proxy names, over all its fields.
fn chain(from: &RequestHeader) -> Option<String> {
    let fields = from.headers.get_all("x-forwarded-for");
    let hops: Vec<_> = fields
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter(|hops| !hops.trim().is_empty())
        .collect();
    (!hops.is_empty()).then(|| hops.join(", "))
}

/// Makes a route's changes to a header section, with what the client sent for variables.
pub(super) fn edit(
    section: &mut impl Section,
    edits: &Edits,
    from: &RequestHeader,
    ctx: &Exchange,
) -> Result<()> {
    if edits.is_empty() {
        return Ok(());
    }
    let id = ctx.id();
    match (action::facts(from, ctx, &id), &ctx.connection) {
        (Some(facts), Some(connection)) => {
            let dropped = &connection.host.stats.requests.fields_dropped;
            edits.apply(section, &facts, dropped)
        }
        // Nobody gets this far without both.
        _ => Ok(()),
    }
}
