//! What the upstream gets: a connection with all its timeouts, and a request that says whom it is for.

use std::{net::SocketAddr, time::Duration};

use floodwall_config::HeaderEdits;
use http::header;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};

use super::Exchange;
use crate::upstream::Upstream;

/// The server to connect to. Every timeout is set: none has a default below this layer.
pub(super) fn peer(
    address: SocketAddr,
    upstream: &Upstream,
    time_left: Option<Duration>,
) -> Box<HttpPeer> {
    let within = |timeout: Duration| Some(time_left.map_or(timeout, |left| timeout.min(left)));
    let mut peer = HttpPeer::new(address, false, String::new());
    let options = &mut peer.options;
    options.connection_timeout = within(upstream.timeouts.connect);
    options.total_connection_timeout = within(upstream.timeouts.connect);
    options.read_timeout = within(upstream.timeouts.read);
    options.write_timeout = within(upstream.timeouts.write);
    options.idle_timeout = Some(upstream.timeouts.idle);
    Box::new(peer)
}

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
    let peer = connection.peer.ip().to_canonical().to_string();
    let trusted = !client.direct;
    let said = |name: &str| {
        if trusted {
            from.headers.get(name).cloned()
        } else {
            None
        }
    };
    match said("x-forwarded-for")
        .as_ref()
        .and_then(|value| value.to_str().ok())
    {
        Some(before) => {
            let all = from
                .headers
                .get_all("x-forwarded-for")
                .iter()
                .filter_map(|value| value.to_str().ok());
            let chain = all.collect::<Vec<_>>().join(", ");
            let chain = if before.is_empty() {
                peer
            } else {
                format!("{chain}, {peer}")
            };
            request.insert_header("x-forwarded-for", chain)?;
        }
        None => request.insert_header("x-forwarded-for", peer)?,
    }
    match said("x-forwarded-proto") {
        Some(proto) => request.insert_header("x-forwarded-proto", proto)?,
        None => request.insert_header("x-forwarded-proto", "http")?,
    }
    match said("x-forwarded-host").or_else(|| from.headers.get(header::HOST).cloned()) {
        Some(host) => request.insert_header("x-forwarded-host", host)?,
        None => {
            request.remove_header("x-forwarded-host");
        }
    }
    request.insert_header("x-request-id", ctx.id())?;
    match &ctx.route {
        Some(route) => edit_request(request, &route.request_headers),
        None => Ok(()),
    }
}

fn edit_request(request: &mut RequestHeader, edits: &HeaderEdits) -> Result<()> {
    for name in &edits.remove {
        request.remove_header(name.as_str());
    }
    for field in &edits.set {
        request.insert_header(field.name.as_str().to_owned(), field.value.as_str())?;
    }
    for field in &edits.add {
        request.append_header(field.name.as_str().to_owned(), field.value.as_str())?;
    }
    Ok(())
}

/// Makes a route's changes to a response.
pub(super) fn edit_response(response: &mut ResponseHeader, edits: &HeaderEdits) -> Result<()> {
    for name in &edits.remove {
        response.remove_header(name.as_str());
    }
    for field in &edits.set {
        response.insert_header(field.name.as_str().to_owned(), field.value.as_str())?;
    }
    for field in &edits.add {
        response.append_header(field.name.as_str().to_owned(), field.value.as_str())?;
    }
    Ok(())
}
