//! What the phases read from a session.

use std::{borrow::Cow, sync::Arc, time::Duration};

use floodwall_config::path::{self, Slashes};
use http::{StatusCode, Version, header};
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use crate::{
    request::{RequestView, host_of},
    server::{
        connection::{Connection, Rules},
        guard::Guard,
        http2::{self, Origin},
        progress::Progress,
    },
    strict::{self, Fault},
};

/// The connection that a session came in on, and how far its request is.
///
/// # Errors
/// When the stream below is none of ours, which only a mistake in the accept loop can cause.
pub(super) fn origin(session: &Session) -> Result<(Arc<Connection>, Arc<Progress>)> {
    if let Some(Origin {
        connection,
        progress,
    }) = http2::origin()
    {
        return Ok((connection, progress));
    }
    let stream = session.as_downstream().stream();
    // The box itself is a stream too; the one inside is meant.
    let guard = stream.and_then(|stream| (**stream).as_any().downcast_ref::<Guard>());
    match guard {
        Some(guard) => Ok((Arc::clone(guard.connection()), Arc::clone(guard.progress()))),
        None => Error::e_explain(ErrorType::InternalError, "a session without its guard"),
    }
}

/// Comes back when the client has given up the stream, or closed its end. The engine reads nothing of HTTP/1 while a
/// request waits, so the kernel is asked now and then.
pub(super) async fn gone(session: &mut Session) {
    if super::http2::given_up(session).await.is_some() {
        return;
    }
    let socket = session
        .digest()
        .and_then(|digest| digest.socket_digest.clone());
    loop {
        tokio::time::sleep(LOOK).await;
        let state = socket.as_ref().and_then(|socket| socket.tcp_info());
        if state.is_some_and(|info| HAS_LEFT.contains(&info.tcpi_state)) {
            return;
        }
    }
}

/// How often a waiting client's connection is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// `TCP_CLOSE` and `TCP_CLOSE_WAIT` (`include/net/tcp_states.h`): reset, and closed by the other end.
const HAS_LEFT: [u8; 2] = [7, 8];

/// Brings the request into the form that the rules know, and checks that it is well formed and within the listener's
/// bounds.
///
/// # Errors
/// The [`Fault`] to answer with.
pub(super) fn check(session: &mut Session, rules: &Rules) -> Result<(), Fault> {
    if session.as_downstream().is_http2() {
        super::http2::to_common_form(session.req_header_mut(), rules.headers)?;
    } else {
        super::http1::to_common_form(session)?;
    }
    let head = session.req_header();
    strict::check(head, rules.target)?;
    let length = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match (length, rules.body_bytes) {
        (Some(length), Some(most)) if length > most => Err(Fault {
            status: 413,
            what: "the request body is too large",
        }),
        _ => Ok(()),
    }
}

/// Brings the request into the one form that rules and upstreams get to see.
///
/// # Errors
/// The [`Fault`] of a path that has none.
pub(super) fn normalize(session: &mut Session, slashes: Slashes) -> Result<(), Fault> {
    let head = session.req_header_mut();
    let target = str::from_utf8(head.raw_path()).unwrap_or("/");
    let spelled = path::normalized(target, slashes).map_err(|odd| Fault::malformed(odd.0))?;
    if let Cow::Owned(spelled) = spelled {
        let uri = spelled.parse().map_err(|_| NO_TARGET)?;
        head.set_uri(uri);
    }
    if head.version == Version::HTTP_10 {
        // Such a client knows no interim responses (RFC 9110, 10.1.1 and 15.2).
        head.remove_header(&header::EXPECT);
        session.as_downstream_mut().set_ignore_info_resp(true);
    }
    Ok(())
}

const NO_TARGET: Fault = Fault {
    status: 400,
    what: "the request target is no URI",
};

/// The parts of a request that rules may look at. The target was checked to be ASCII.
pub fn view(head: &RequestHeader) -> RequestView<'_> {
    let target = str::from_utf8(head.raw_path()).unwrap_or("/");
    // Bytes are searched faster than characters, and both are ASCII.
    let (path, query) = match target.bytes().position(|byte| byte == b'?') {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    };
    RequestView {
        method: head.method.as_str(),
        host: host_of(authority(head)),
        path,
        query,
        headers: &head.headers,
    }
}

/// The host that was asked for, with its port.
pub(super) fn authority(head: &RequestHeader) -> &str {
    head.headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// The response that the client was given, if it was given more than interim ones.
pub(super) fn given(session: &Session) -> Option<&ResponseHeader> {
    session
        .response_written()
        .filter(|response| !is_interim(response.status))
}

/// Whether a response is not the answer yet; a change of protocols is.
pub(super) fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

/// Whether the client would rather have JSON than text.
pub(super) fn wants_json(head: &RequestHeader) -> bool {
    head.headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|accept| accept.contains("application/json") || accept.contains("+json"))
}

/// An error that the phases turn into `status`.
pub(super) fn status_of(error: &Error) -> u16 {
    match error.etype() {
        ErrorType::HTTPStatus(status) => *status,
        ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::WriteTimedout
            if *error.esource() == ErrorSource::Upstream =>
        {
            504
        }
        _ => match error.esource() {
            ErrorSource::Upstream => 502,
            ErrorSource::Downstream => match error.etype() {
                // The client left, or its connection is broken: nobody reads an answer.
                ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed => 0,
                ErrorType::ReadTimedout => 408,
                _ => 400,
            },
            ErrorSource::Internal | ErrorSource::Unset => 500,
        },
    }
}
