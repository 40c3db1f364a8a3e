//! What the proxy and an upstream say to each other before a protocol is changed.

use std::{future::Future, time::Duration};

use bytes::{BufMut, BytesMut};
use http::{StatusCode, header};
use pingora_core::{connectors::TransportConnector, protocols::Stream, upstreams::peer::HttpPeer};
use pingora_error::{BError, Error, ErrorType, OrErr, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    proxy::{Exchange, forward, hop},
    strict,
};

/// An upstream that has answered, with what it said right behind its head.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) upstream: Stream,
    pub(super) response: ResponseHeader,
    pub(super) said: BytesMut,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    Connect(BError),
    Exchange(BError),
}

/// Bounds of a response's head, as the engine has them.
const MOST_BYTES: usize = 64 << 10;
const MOST_FIELDS: usize = 256;
/// Interim responses before the answer.
const MOST_INTERIM: usize = 8;

/// The head that the upstream gets.
pub(super) fn request(
    asked: &RequestHeader,
    ctx: &Exchange,
    protocols: &str,
) -> Result<RequestHeader> {
    let mut request = asked.clone();
    hop::strip_request(&mut request);
    forward::rewrite(asked, &mut request, ctx)?;
    request.insert_header(header::CONNECTION, "Upgrade")?;
    request.insert_header(header::UPGRADE, protocols)?;
    Ok(request)
}

/// Connects, asks, and reads the head of the answer.
///
/// # Errors
/// [`Failure`], which says whether anything was sent.
pub(super) async fn ask(
    connector: &TransportConnector,
    peer: &HttpPeer,
    request: &RequestHeader,
    protocols: &str,
) -> Result<Agreed, Failure> {
    let mut upstream = connector
        .new_stream(peer)
        .await
        .map_err(|error| Failure::Connect(error.into_up()))?;
    exchange(&mut upstream, peer, request, protocols)
        .await
        .map(|(response, said)| Agreed {
            upstream,
            response,
            said,
        })
        .map_err(|error| Failure::Exchange(error.into_up()))
}

async fn exchange(
    upstream: &mut Stream,
    peer: &HttpPeer,
    request: &RequestHeader,
    protocols: &str,
) -> Result<(ResponseHeader, BytesMut)> {
    let head = head_of(request);
    let write = async {
        upstream.write_all(&head).await?;
        upstream.flush().await
    };
    let timeouts = &peer.options;
    within(timeouts.write_timeout, ErrorType::WriteTimedout, write)
        .await?
        .or_err(ErrorType::WriteError, "writing an upgrade request")?;
    let mut said = BytesMut::new();
    for _ in 0..MOST_INTERIM {
        let response = read_head(upstream, &mut said, timeouts.read_timeout).await?;
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            return agreed(&response, protocols).map(|()| (response, said));
        }
        if !response.status.is_informational() {
            strict::framing(&response.headers).or_else(|fault| invalid(fault.what))?;
            return Ok((response, said));
        }
    }
    invalid("interim responses without end")
}

/// An upstream may only change to what the client asked for (RFC 9110, 15.2.2).
fn agreed(response: &ResponseHeader, protocols: &str) -> Result<()> {
    let chosen = hop::protocols(&response.headers);
    let was_asked_for = |chosen: &String| protocols.split(", ").any(|asked| asked == chosen);
    if chosen.is_empty() || !chosen.iter().all(was_asked_for) {
        return invalid("a change to a protocol that nobody asked for");
    }
    Ok(())
}

fn head_of(request: &RequestHeader) -> BytesMut {
    let mut head = BytesMut::new();
    head.put_slice(request.method.as_str().as_bytes());
    head.put_u8(b' ');
    head.put_slice(request.raw_path());
    head.put_slice(b" HTTP/1.1\r\n");
    request.header_to_h1_wire(&mut head);
    head.put_slice(b"\r\n");
    head
}

/// Reads a head, and leaves in `said` what came behind it.
async fn read_head(
    upstream: &mut Stream,
    said: &mut BytesMut,
    patience: Option<Duration>,
) -> Result<ResponseHeader> {
    loop {
        if let Some((response, length)) = parse(said)? {
            let _ = said.split_to(length);
            return Ok(response);
        }
        if said.len() > MOST_BYTES {
            return invalid("a response header without end");
        }
        let read = within(patience, ErrorType::ReadTimedout, upstream.read_buf(said))
            .await?
            .or_err(ErrorType::ReadError, "reading the answer to an upgrade")?;
        if read == 0 {
            return Error::e_explain(ErrorType::ConnectionClosed, "no answer to an upgrade");
        }
    }
}

/// The head that the bytes begin with and its length, once it is whole.
fn parse(bytes: &[u8]) -> Result<Option<(ResponseHeader, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let status = parsed.parse(bytes).or_err(
        ErrorType::InvalidHTTPHeader,
        "reading the answer to an upgrade",
    )?;
    let (httparse::Status::Complete(length), Some(code)) = (status, parsed.code) else {
        return Ok(None);
    };
    let mut response = ResponseHeader::build(code, Some(parsed.headers.len()))?;
    response.set_reason_phrase(parsed.reason.filter(|reason| !reason.is_empty()))?;
    for field in parsed.headers.iter() {
        response.append_header(field.name.to_owned(), field.value)?;
    }
    Ok(Some((response, length)))
}

async fn within<T>(
    patience: Option<Duration>,
    late: ErrorType,
    act: impl Future<Output = T>,
) -> Result<T> {
    match patience {
        Some(patience) => timeout(patience, act)
            .await
            .or_else(|_| Error::e_explain(late, "an upgrade")),
        None => Ok(act.await),
    }
}

fn invalid<T>(what: &'static str) -> Result<T> {
    Error::e_explain(ErrorType::InvalidHTTPHeader, what)
}
